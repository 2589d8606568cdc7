//! The schema: how it is built, and how it is printed.
//!
//! [`build`] is the only way to one, because it is what puts the guard in: a schema without it would show personal
//! data to everybody who is signed in. What [`sdl`] prints is the contract, `schema.graphql` at the project's root.

use std::sync::Arc;

use async_graphql::{
    Data, Pos, Response, SDLExportOptions, Schema, SchemaBuilder,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute},
};

use super::{
    context::StatusOf,
    document::limited,
    follow::Heads,
    guard::RoleGuard,
    loaders::Loaders,
    mutation::Mutation,
    query::Query,
    subscription::Subscription,
    types::{node::Node, server::ServerFacts},
};
use crate::{app::App, domain::clock::Timestamp, store::Engine};

/// The schema of the admin API.
pub type AdminSchema = Schema<Query, Mutation, Subscription>;

/// Builds the schema over a running server. `status_of` is `http`'s table of the statuses of tracking codes.
pub fn build(app: Arc<App>, status_of: StatusOf, started_at: Timestamp) -> AdminSchema {
    let facts = ServerFacts {
        version: env!("CARGO_PKG_VERSION"),
        database: engine(app.database.engine()),
        started_at,
        schema_hash: hash(&sdl()),
    };
    let builder = limited(bare()).extension(RoleGuard::default()).extension(FreshLoaders);
    builder.data(app).data(status_of).data(facts).data(Arc::<Heads>::default()).finish()
}

/// The contract as text: fields, arguments and enum values in alphabetical order, so that a change shows as one.
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .include_specified_by()
        .use_space_ident()
        .prefer_single_line_descriptions();
    bare().finish().sdl_with_options(options)
}

fn bare() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription).register_output_type::<Node>()
}

fn engine(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "sqlite",
        Engine::Postgres => "postgres",
    }
}

/// The first 16 hexadecimal digits of BLAKE3.
fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().chars().take(16).collect()
}

/// Gives each request loaders of its own, and each item of a subscription.
struct FreshLoaders;

impl ExtensionFactory for FreshLoaders {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for FreshLoaders {
    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        let mut data = Data::default();
        match ctx.data::<Arc<App>>() {
            Ok(app) => data.insert(Loaders::new(app)),
            Err(fault) => return Response::from_errors(vec![fault.into_server_error(Pos::default())]),
        }
        next.run_with_data(ctx, operation_name, data).await
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{
        Positioned,
        parser::{
            parse_schema,
            types::{
                ConstDirective, FieldDefinition, InputValueDefinition, TypeDefinition, TypeKind, TypeSystemDefinition,
            },
        },
    };

    use super::*;

    fn types() -> Vec<TypeDefinition> {
        let document = parse_schema(sdl()).unwrap();
        let types = document.definitions.into_iter().filter_map(|definition| match definition {
            TypeSystemDefinition::Type(of) => Some(of.node),
            TypeSystemDefinition::Schema(_) | TypeSystemDefinition::Directive(_) => None,
        });
        types.collect()
    }

    fn fields(of: &TypeDefinition) -> Vec<FieldDefinition> {
        let fields = match &of.kind {
            TypeKind::Object(object) => &object.fields,
            TypeKind::Interface(interface) => &interface.fields,
            TypeKind::Scalar | TypeKind::Union(_) | TypeKind::Enum(_) | TypeKind::InputObject(_) => return Vec::new(),
        };
        fields.iter().map(|field| field.node.clone()).collect()
    }

    fn nameless(place: &str, values: &[Positioned<InputValueDefinition>]) -> Vec<String> {
        let silent = values.iter().filter(|value| value.node.description.is_none());
        silent.map(|value| format!("{place}.{}", value.node.name.node)).collect()
    }

    fn silent(of: &TypeDefinition) -> Vec<String> {
        let name = of.name.node.as_str();
        let mut found: Vec<String> = of.description.is_none().then(|| name.to_owned()).into_iter().collect();
        for field in fields(of) {
            let place = format!("{name}.{}", field.name.node);
            found.extend(nameless(&place, &field.arguments));
            found.extend(field.description.is_none().then_some(place));
        }
        match &of.kind {
            TypeKind::Enum(words) => found.extend(
                words
                    .values
                    .iter()
                    .filter(|word| word.node.description.is_none())
                    .map(|word| format!("{name}.{}", word.node.value.node)),
            ),
            TypeKind::InputObject(input) => found.extend(nameless(name, &input.fields)),
            TypeKind::Scalar | TypeKind::Object(_) | TypeKind::Interface(_) | TypeKind::Union(_) => {}
        }
        found
    }

    #[test]
    fn everything_in_the_schema_says_what_it_is() {
        let silent: Vec<String> = types().iter().flat_map(silent).collect();
        assert!(silent.is_empty(), "without a description: {}", silent.join(", "));
    }

    #[test]
    fn a_guarded_field_can_be_null() {
        let mut guarded = 0;
        for of in types() {
            for field in fields(&of) {
                let is_guarded = field.directives.iter().any(|directive| directive.node.name.node == "auth");
                guarded += usize::from(is_guarded);
                let place = format!("{}.{}", of.name.node, field.name.node);
                assert!(!is_guarded || field.ty.node.nullable, "{place} is guarded and cannot be null");
                assert!(of.name.node != "Mutation" || is_guarded, "{place} is for everybody");
            }
        }
        assert!(guarded > 20, "{guarded}");
    }

    #[test]
    fn a_guarded_type_is_a_node_or_is_led_to_by_guarded_fields_only() {
        let all = types();
        let guarded: Vec<_> =
            all.iter().filter(|of| is_guarded(&of.directives)).map(|of| of.name.node.as_str()).collect();
        assert!(guarded.len() >= 3, "{guarded:?}");
        let open = |of: &&TypeDefinition| !is_guarded(&of.directives) && !of.name.node.ends_with("Payload");
        for of in all.iter().filter(open) {
            let is_page = of.name.node.ends_with("Connection") || of.name.node.ends_with("Edge");
            for field in fields(of).iter().filter(|field| !is_page && !is_guarded(&field.directives)) {
                let shape = field.ty.node.to_string();
                let named = shape.trim_matches(['[', ']', '!']);
                assert!(!guarded.contains(&named), "{}.{} shows {named}", of.name.node, field.name.node);
            }
        }
    }

    fn is_guarded(directives: &[Positioned<ConstDirective>]) -> bool {
        directives.iter().any(|directive| directive.node.name.node == "auth")
    }

    #[test]
    fn no_query_has_a_secret_in_it() {
        let payloads = [
            "ApiKeyPayload",
            "SecureTokenPayload",
            "OutboundPostbackPayload",
            "RevealedUrl",
            "RevealedUrlPayload",
            "Mutation",
        ];
        for of in types().iter().filter(|of| !payloads.contains(&of.name.node.as_str())) {
            for field in fields(of) {
                let name = field.name.node.to_lowercase();
                assert!(!name.contains("secret") && !name.contains("password"), "{}.{name}", of.name.node);
                let shape = field.ty.node.to_string();
                assert!(!payloads.iter().any(|payload| shape.contains(payload)), "{}.{name}", of.name.node);
            }
        }
    }
}
