//! Tells cargo that a newly built dashboard belongs into the binary. The folder is always there (it holds `.keep`), or
//! cargo would build the server anew every time.

fn main() {
    println!("cargo:rerun-if-changed=dashboard/dist");
}
