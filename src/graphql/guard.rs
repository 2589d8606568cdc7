//! Who may read or do what: the directive `@auth(role:)`, which is the guard itself.
//!
//! A field is guarded by its directive and by nothing else: [`RoleGuard`] looks at the very directive that the
//! schema prints, before it lets the field be resolved. So what `schema.graphql` says and what the server does
//! cannot come apart, and no second list can be forgotten. A refused field is null with `FORBIDDEN`, and the rest
//! of the document is answered; that is why a guarded field has to be nullable, which a test holds.
//! A type may carry the directive as well: then nobody with a smaller role is shown anything of it, whatever field
//! leads there; [`enter`] refuses at the door, so that a caller does not even learn whether it is there.
//!
//! The guard refuses when nobody is signed in, too. Built without it, the schema would be open: that is why
//! [`super::schema::build`] is the only way to one.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use async_graphql::{
    Context, OutputType, PathSegment, QueryPathNode, QueryPathSegment, Result, ServerError, ServerResult,
    TypeDirective, Value,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextResolve, ResolveInfo},
    registry::{MetaDirectiveInvocation, MetaField, MetaType, Registry},
};

use super::{context::Find as _, error::forbidden, types::words::Role};
use crate::domain::operator::{self, Principal};

/// The least role that is allowed. Fields without it, of types without it, are for everybody who is signed in.
#[TypeDirective(location = "FieldDefinition", location = "Object")]
pub fn auth(#[graphql(desc = "The least role that is allowed.")] role: Role) {}

/// The name of the directive, and of its argument.
const AUTH: (&str, &str) = ("auth", "role");

/// Holds every field to its directive.
#[derive(Clone, Debug, Default)]
pub struct RoleGuard {
    /// Read from the schema once: it never changes, and every field of every row asks.
    guarded: Arc<OnceLock<Guarded>>,
}

impl ExtensionFactory for RoleGuard {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(self.clone())
    }
}

/// The least roles of the fields that have one, by their type.
type Guarded = HashMap<String, HashMap<String, operator::Role>>;

fn guarded(registry: &Registry) -> Guarded {
    let of_type = |name: &str, of: &MetaType| {
        let fields = of.fields().into_iter().flat_map(|fields| fields.keys());
        fields.filter_map(|field| needed(registry, name, field).map(|role| (field.clone(), role))).collect()
    };
    let all = registry.types.iter().map(|(name, of)| (name.clone(), of_type(name, of)));
    all.filter(|(_, fields): &(_, HashMap<_, _>)| !fields.is_empty()).collect()
}

#[async_graphql::async_trait::async_trait]
impl Extension for RoleGuard {
    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        let guarded = self.guarded.get_or_init(|| guarded(&ctx.schema_env.registry));
        match guarded.get(info.parent_type).and_then(|fields| fields.get(info.name)).copied() {
            Some(needed) if !holds(ctx, needed) => Err(refusal(&info, needed)),
            Some(_) | None => next.run(ctx, info).await,
        }
    }
}

/// The least role of a field, its own or that of its type; `None` where everybody who is signed in may.
fn needed(registry: &Registry, parent: &str, field: &str) -> Option<operator::Role> {
    let own = registry.types.get(parent).and_then(|parent| parent.field_by_name(field)).and_then(role_of_field);
    own.max(needed_of(registry, parent))
}

/// Lets a caller on to a thing of type `T`, who would find it by an id.
///
/// # Errors
/// `FORBIDDEN`, whether or not it is there.
pub fn enter<T: OutputType>(ctx: &Context<'_>) -> Result<()> {
    match needed_of(&ctx.schema_env.registry, &T::type_name()) {
        Some(needed) if !ctx.principal()?.role.includes(needed) => Err(forbidden(needed)),
        Some(_) | None => Ok(()),
    }
}

/// The least role of a type.
fn needed_of(registry: &Registry, name: &str) -> Option<operator::Role> {
    match registry.types.get(name) {
        Some(MetaType::Object { directive_invocations, .. }) => role_of(directive_invocations),
        Some(
            MetaType::Scalar { .. }
            | MetaType::Interface { .. }
            | MetaType::Union { .. }
            | MetaType::Enum { .. }
            | MetaType::InputObject { .. },
        )
        | None => None,
    }
}

fn role_of_field(field: &MetaField) -> Option<operator::Role> {
    role_of(&field.directive_invocations)
}

fn role_of(directives: &[MetaDirectiveInvocation]) -> Option<operator::Role> {
    let directive = directives.iter().find(|directive| directive.name == AUTH.0)?;
    match directive.args.get(AUTH.1) {
        Some(Value::Enum(role)) => operator::Role::ALL.into_iter().find(|known| is_named(*known, role.as_str())),
        // A directive that cannot be read lets nobody in but those who may do everything.
        Some(_) | None => Some(operator::Role::Admin),
    }
}

fn is_named(role: operator::Role, name: &str) -> bool {
    role.as_str().eq_ignore_ascii_case(name)
}

fn holds(ctx: &ExtensionContext<'_>, needed: operator::Role) -> bool {
    ctx.data::<Principal>().is_ok_and(|principal| principal.role.includes(needed))
}

fn refusal(info: &ResolveInfo<'_>, needed: operator::Role) -> ServerError {
    forbidden(needed).into_server_error(info.field.name.pos).with_path(path(info.path_node))
}

fn path(node: &QueryPathNode<'_>) -> Vec<PathSegment> {
    let mut segments: Vec<PathSegment> = std::iter::once(node).chain(node.parents()).map(segment).collect();
    segments.reverse();
    segments
}

fn segment(node: &QueryPathNode<'_>) -> PathSegment {
    match node.segment {
        QueryPathSegment::Name(name) => PathSegment::Field(name.to_owned()),
        QueryPathSegment::Index(index) => PathSegment::Index(index),
    }
}
