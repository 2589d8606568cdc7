# syntax=docker/dockerfile:1
# The server in three stages: the dashboard, the binary that carries it, and an image that holds the binary and little
# else. The Rust version is that of rust-toolchain.toml.

FROM node:20-bookworm-slim AS dashboard
WORKDIR /source/dashboard
COPY dashboard/package.json dashboard/package-lock.json dashboard/.npmrc ./
RUN npm ci
COPY schema.graphql ../
COPY dashboard ./
RUN npm run codegen && npm run build

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
COPY --from=dashboard /source/dashboard/dist dashboard/dist
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --locked --release --bin roundtrip \
    && install -D target/release/roundtrip /out/roundtrip

FROM debian:bookworm-slim
# No login, no home: the number is what secrets on the host are given to.
RUN groupadd --gid 10001 roundtrip \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin roundtrip \
    && install -d -o roundtrip -g roundtrip -m 0700 /var/lib/roundtrip
COPY --from=build /out/roundtrip /usr/local/bin/roundtrip
USER 10001:10001
WORKDIR /var/lib/roundtrip
VOLUME /var/lib/roundtrip
# In a container the public port is reached from outside; the internal one stays on loopback unless it is told otherwise.
ENV ROUNDTRIP__DATA_DIR=/var/lib/roundtrip \
    ROUNDTRIP__SERVER__BIND_ADDRESS=0.0.0.0:8080
EXPOSE 8080
# Ready, not only alive: a server whose database is away should get no traffic. The image has no curl on purpose.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9090 && printf 'GET /readyz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["roundtrip"]
CMD ["serve"]
