//! The routes of signing in, for the description of ours that machines read.
//!
//! They are few and written down by hand; the tests of `session.rs` hold every status that they see to what stands here.

use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, PathItemBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{Object, Schema, SchemaType, Type};
use utoipa::openapi::{Content, ObjectBuilder, Paths, Required, ResponseBuilder, Responses};

use super::{ToArray as _, text_schema};

/// One route, as it is described.
struct Described {
    path: &'static str,
    method: HttpMethod,
    operation: &'static str,
    summary: &'static str,
    /// Of the JSON body; none where there is no body.
    fields: &'static [&'static str],
    success: Success,
    /// The codes of refusals by status, beside those of every route.
    refusals: &'static [(u16, &'static str)],
}

struct Success {
    status: u16,
    meaning: &'static str,
    /// Of its body, where it has one.
    schema: Option<fn() -> Schema>,
}

/// What every route may say.
const ALWAYS: &[(u16, &str)] = &[(403, "origin_not_allowed"), (500, "internal"), (503, "try_again")];
/// What a body may be refused with.
const OF_A_BODY: &[(u16, &str)] =
    &[(400, "bad_request, invalid"), (408, "body_too_slow"), (413, "body_too_large"), (415, "unsupported_media_type")];
const WELCOME: Success = Success {
    status: 200,
    meaning: "Signed in: the bearer is in the body, the refresh token in a cookie.",
    schema: Some(welcome),
};

const ROUTES: &[Described] = &[
    Described {
        path: "/api/session",
        method: HttpMethod::Post,
        operation: "sign_in",
        summary: "Signs an operator in.",
        fields: &["email", "password"],
        success: WELCOME,
        refusals: &[(401, "wrong_credentials"), (429, "locked")],
    },
    Described {
        path: "/api/session",
        method: HttpMethod::Delete,
        operation: "sign_out",
        summary: "Ends the sessions of the cookie and of the bearer, if there are any.",
        fields: &[],
        success: Success { status: 204, meaning: "Signed out.", schema: None },
        refusals: &[],
    },
    Described {
        path: "/api/session/refresh",
        method: HttpMethod::Post,
        operation: "refresh",
        summary: "Gives the next bearer for the refresh token in the cookie, and a new cookie.",
        fields: &[],
        success: WELCOME,
        refusals: &[(401, "not_signed_in, session_ended"), (409, "refresh_race")],
    },
    Described {
        path: "/api/setup",
        method: HttpMethod::Get,
        operation: "is_set_up",
        summary: "Says whether there is an operator yet.",
        fields: &[],
        success: Success {
            status: 200,
            meaning: "Whether the first administrator was made.",
            schema: Some(setup_state),
        },
        refusals: &[],
    },
    Described {
        path: "/api/setup",
        method: HttpMethod::Post,
        operation: "set_up",
        summary: "Makes the first administrator, with the code that the server printed.",
        fields: &["code", "email", "name", "password"],
        success: WELCOME,
        refusals: &[(401, "wrong_setup_code"), (409, "setup_done")],
    },
    Described {
        path: "/api/invite",
        method: HttpMethod::Post,
        operation: "accept_invitation",
        summary: "Sets the password of an operator with the code of their invitation, and signs them in.",
        fields: &["code", "password"],
        success: WELCOME,
        refusals: &[(401, "wrong_invite_code")],
    },
];

/// Every path with its operations.
pub(super) fn paths() -> Paths {
    let mut paths = Paths::new();
    for route in ROUTES {
        let mut one = Paths::new();
        let item = PathItemBuilder::new().operation(route.method.clone(), operation(route)).build();
        one.paths.insert(route.path.to_owned(), item);
        paths.merge(one);
    }
    paths
}

fn operation(route: &Described) -> Operation {
    let mut operation = OperationBuilder::new()
        .operation_id(Some(route.operation))
        .summary(Some(route.summary))
        .responses(responses(route));
    if !route.fields.is_empty() {
        let content = Content::new(Some(body(route.fields)));
        let body = RequestBodyBuilder::new().content("application/json", content).required(Some(Required::True));
        operation = operation.request_body(Some(body.build()));
    }
    operation.build()
}

fn body(fields: &[&str]) -> Schema {
    let object = fields
        .iter()
        .fold(ObjectBuilder::new(), |object, field| object.property(*field, text_schema()).required(*field));
    Schema::Object(object.schema_type(SchemaType::Type(Type::Object)).build())
}

fn responses(route: &Described) -> Responses {
    let mut responses = Responses::new();
    let Success { status, meaning, schema } = route.success;
    let success = ResponseBuilder::new().description(meaning);
    let success = match schema {
        Some(schema) => success.content("application/json", content(schema())),
        None => success,
    };
    responses.responses.insert(status.to_string(), success.build().into());
    let of_a_body = if route.fields.is_empty() { &[] } else { OF_A_BODY };
    for (status, codes) in route.refusals.iter().chain(of_a_body).chain(ALWAYS) {
        let response = ResponseBuilder::new().description(*codes).content("application/json", content(refusal()));
        responses.responses.insert(status.to_string(), response.build().into());
    }
    responses
}

fn content(schema: Schema) -> Content {
    Content::new(Some(schema))
}

fn welcome() -> Schema {
    let texts = |object: ObjectBuilder, names: &[&str]| {
        names.iter().fold(object, |object, name| object.property(*name, text_schema()).required(*name))
    };
    let operator = texts(ObjectBuilder::new(), &["id", "email", "name", "role"]).build();
    let object = texts(ObjectBuilder::new(), &["access_token", "token_type"])
        .property("expires_in", Schema::Object(Object::with_type(SchemaType::Type(Type::Integer))))
        .required("expires_in")
        .property("operator", Schema::Object(operator))
        .required("operator");
    Schema::Object(object.build())
}

fn setup_state() -> Schema {
    let flag = Schema::Object(Object::with_type(SchemaType::Type(Type::Boolean)));
    Schema::Object(ObjectBuilder::new().property("setup_complete", flag).required("setup_complete").build())
}

fn refusal() -> Schema {
    let error = ObjectBuilder::new().property("field", text_schema()).property("message", text_schema()).build();
    let object = ObjectBuilder::new()
        .property("ok", Schema::Object(Object::with_type(SchemaType::Type(Type::Boolean))))
        .required("ok")
        .property("code", text_schema())
        .required("code")
        .property("message", text_schema())
        .property("request_id", text_schema())
        .property("errors", Schema::Object(error).to_array());
    Schema::Object(object.build())
}
