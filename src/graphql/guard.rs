//! Who may read or do what: the directive `@auth(role:)`, which is the guard itself.
//!
//! A field is guarded by its directive and by nothing else: [`RoleGuard`] looks at the very directive that the
//! schema prints, before it lets the field be resolved. So what `schema.graphql` says and what the server does
//! cannot come apart, and no second list can be forgotten. A refused field is null with `FORBIDDEN`, and the rest
//! of the document is answered; that is why a guarded field has to be nullable, which a test holds.
//!
//! The guard refuses when nobody is signed in, too. Built without it, the schema would be open: that is why
//! [`super::schema::build`] is the only way to one.

use std::sync::Arc;

use async_graphql::{
    PathSegment, QueryPathNode, QueryPathSegment, ServerError, ServerResult, TypeDirective, Value,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextResolve, ResolveInfo},
    registry::{MetaField, Registry},
};

use super::{error::forbidden, types::words::Role};
use crate::domain::operator::{self, Principal};

/// The least role that is allowed. Fields without it are for everybody who is signed in.
#[TypeDirective(location = "FieldDefinition")]
pub fn auth(#[graphql(desc = "The least role that is allowed.")] role: Role) {}

/// The name of the directive, and of its argument.
const AUTH: (&str, &str) = ("auth", "role");

/// Holds every field to its directive.
#[derive(Clone, Copy, Debug)]
pub struct RoleGuard;

impl ExtensionFactory for RoleGuard {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for RoleGuard {
    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        match needed(&ctx.schema_env.registry, info.parent_type, info.name) {
            Some(needed) if !holds(ctx, needed) => Err(refusal(&info, needed)),
            Some(_) | None => next.run(ctx, info).await,
        }
    }
}

/// The least role of a field; `None` where everybody who is signed in may.
pub fn needed(registry: &Registry, parent: &str, field: &str) -> Option<operator::Role> {
    registry.types.get(parent).and_then(|parent| parent.field_by_name(field)).and_then(role_of)
}

fn role_of(field: &MetaField) -> Option<operator::Role> {
    let directive = field.directive_invocations.iter().find(|directive| directive.name == AUTH.0)?;
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
