//! The tracking doors, the download of exports and the routes of signing in as OpenAPI 3.1, for senders' tools and for
//! our own fuzzing.
//!
//! The doors are made from the table of parameters, the table of codes and the table of statuses: what stands here is
//! what the server does, or the tables are wrong. Nothing of them is written by hand but one sentence a route.

mod sign_in;

use std::collections::BTreeMap;

use axum::http::{HeaderValue, header};
use axum::response::Response;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem, PathItemBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{AdditionalProperties, Object, Schema, SchemaType, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, Content, Info, ObjectBuilder, OpenApi, OpenApiBuilder, Paths, Ref, RefOr, Required,
    ResponseBuilder, Responses,
};

use super::answer::{status_of, with_status};
use crate::domain::code::Code;
use crate::domain::inbound::{Door, Form, PARAMETERS, Parameter, ParameterSpec};

const ANSWER: &str = "Answer";
const BEARER: &str = "secure_token";
/// An access token or a key of the admin API.
const OPERATOR: &str = "operator";

/// One door, as it is described.
struct Described {
    door: Door,
    path: &'static str,
    methods: &'static [HttpMethod],
    operation: &'static str,
    summary: &'static str,
}

const GET: &[HttpMethod] = &[HttpMethod::Get];
const GET_AND_POST: &[HttpMethod] = &[HttpMethod::Get, HttpMethod::Post];

const DOORS: &[Described] = &[
    Described {
        door: Door::Click,
        path: "/click",
        methods: GET,
        operation: "click",
        summary: "Records a visit through a tracking link and sends the visitor on.",
    },
    Described {
        door: Door::Postback,
        path: "/postback",
        methods: GET_AND_POST,
        operation: "postback",
        summary: "Records the conversion of a click.",
    },
    Described {
        door: Door::Clickless,
        path: "/postback/clickless",
        methods: GET_AND_POST,
        operation: "clickless",
        summary: "Records a conversion that has no click.",
    },
    Described {
        door: Door::Rejection,
        path: "/reject",
        methods: GET_AND_POST,
        operation: "reject",
        summary: "Turns a conversion to rejected, with a reason.",
    },
    Described {
        door: Door::Status,
        path: "/status",
        methods: GET_AND_POST,
        operation: "status",
        summary: "Changes the status of a conversion.",
    },
    Described {
        door: Door::Pixel,
        path: "/pixel.gif",
        methods: GET,
        operation: "pixel",
        summary: "Reports a conversion by loading a picture from a verified tracking domain.",
    },
];

/// The document, indented.
pub fn document() -> String {
    // Made of texts, numbers and maps with text keys: it always prints, and an empty text would be noticed at once.
    let mut text = build().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// `/openapi.json`: public, because senders need it.
pub(crate) async fn serve() -> Response {
    let mut response = with_status(200, document());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn build() -> OpenApi {
    let mut info = Info::new("Roundtrip", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "The tracking doors, and signing in to the admin API (/graphql, which describes itself). 4xx other than 429 is final; 429 and 5xx mean: send the same request again, which is \
         always safe. Details are told only once the token is verified."
            .to_owned(),
    );
    let mut paths = Paths::new();
    for door in DOORS {
        paths.paths.insert(door.path.to_owned(), path_item(door));
    }
    paths.paths.insert("/api/export/{id}".to_owned(), download_path());
    paths.merge(sign_in::paths());
    let components = ComponentsBuilder::new()
        .schema(ANSWER, answer_schema())
        .security_scheme(BEARER, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)))
        .security_scheme(OPERATOR, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)))
        .build();
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components)).build()
}

/// Not a tracking door: `http/export.rs`.
fn download_path() -> PathItem {
    let statuses = [
        ("200", "the file"),
        ("401", "unauthenticated"),
        ("403", "forbidden"),
        ("404", "not_found"),
        ("409", "not_ready"),
        ("410", "expired"),
        ("503", "try_again"),
    ];
    let mut responses = Responses::new();
    for (status, description) in statuses {
        let response = ResponseBuilder::new().description(description);
        let text = || Content::new(Some(text_schema()));
        let response = match status {
            "200" => response.content("text/csv", text()).content("application/x-ndjson", text()),
            _ => response.content("application/json", Content::new(Some(refusal_schema()))),
        };
        responses.responses.insert(status.to_owned(), response.build().into());
    }
    let id = ParameterBuilder::new()
        .name("id")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The job of the export."))
        .schema(Some(text_schema()));
    let operation = OperationBuilder::new()
        .operation_id(Some("export"))
        .summary(Some("The rows of an export that has succeeded, for a day, as CSV."))
        .parameter(id)
        .securities(Some([SecurityRequirement::new(OPERATOR, Vec::<String>::new())]))
        .responses(responses);
    PathItemBuilder::new().operation(HttpMethod::Get, operation).build()
}

fn refusal_schema() -> Schema {
    let flag = Schema::Object(Object::with_type(SchemaType::Type(Type::Boolean)));
    let object = ObjectBuilder::new().property("ok", flag).property("code", text_schema());
    Schema::Object(object.property("message", text_schema()).required("ok").required("code").build())
}

fn path_item(door: &Described) -> PathItem {
    let operation = |method: &HttpMethod| (method.clone(), operation(door, method));
    door.methods
        .iter()
        .map(operation)
        .fold(PathItemBuilder::new(), |item, (method, op)| item.operation(method, op))
        .build()
}

fn operation(door: &Described, method: &HttpMethod) -> OperationBuilder {
    let is_post = *method == HttpMethod::Post;
    let suffix = if is_post { "_post" } else { "" };
    let mut operation = OperationBuilder::new()
        .operation_id(Some(format!("{}{suffix}", door.operation)))
        .summary(Some(door.summary))
        .responses(responses(door.door));
    for spec in parameters(door.door) {
        operation = operation.parameter(
            ParameterBuilder::new()
                .name(spec.name)
                .parameter_in(ParameterIn::Query)
                .required(Required::False)
                .description(Some(spec.description))
                .schema(Some(schema_of(spec)))
                .example(Some(spec.example.into())),
        );
    }
    if is_post {
        operation = operation.request_body(Some(body(door.door)));
    }
    if takes_a_token(door.door) {
        let without: SecurityRequirement = SecurityRequirement::default();
        let bearer = SecurityRequirement::new(BEARER, Vec::<String>::new());
        operation = operation.securities(Some([without, bearer]));
    }
    operation
}

/// No parameter is marked as required: a request without one is understood, and refused with its code.
fn parameters(door: Door) -> impl Iterator<Item = &'static ParameterSpec> {
    PARAMETERS.iter().filter(move |spec| spec.doors.contains(&door))
}

fn takes_a_token(door: Door) -> bool {
    Parameter::Secure.spec().doors.contains(&door)
}

fn schema_of(spec: &ParameterSpec) -> Schema {
    let limit = usize::try_from(spec.limit).unwrap_or(usize::MAX);
    let text = |object: ObjectBuilder| object.schema_type(SchemaType::Type(Type::String));
    let object = match spec.form {
        Form::Text | Form::Address | Form::Email | Form::Flag | Form::StatusName | Form::CurrencyCode => {
            text(ObjectBuilder::new()).max_length(Some(limit))
        }
        Form::Amount => text(ObjectBuilder::new()).pattern(Some(r"^[0-9]{1,9}(\.[0-9]{1,18})?$")),
        Form::Duration => text(ObjectBuilder::new()).pattern(Some("^([0-9]+|[0-9]+:[0-5][0-9]:[0-5][0-9])$")),
        Form::Number => ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Integer))
            .minimum(Some(1_i64))
            .maximum(Some(i64::from(spec.limit))),
    };
    Schema::Object(object.build())
}

/// The same parameters as a form or as a flat JSON object; more keys are kept as additional parameters.
fn body(door: Door) -> utoipa::openapi::request_body::RequestBody {
    let mut object = ObjectBuilder::new();
    for spec in parameters(door) {
        object = object.property(spec.name, schema_of(spec));
    }
    let scalar = Schema::Object(Object::with_type(SchemaType::AnyValue));
    let object = object.additional_properties(Some(AdditionalProperties::RefOr(RefOr::T(scalar)))).build();
    let content = || Content::new(Some(Schema::Object(object.clone())));
    RequestBodyBuilder::new()
        .content("application/x-www-form-urlencoded", content())
        .content("application/json", content())
        .required(Some(Required::False))
        .build()
}

/// One response for each status, naming the codes that it stands for.
fn responses(door: Door) -> Responses {
    let mut by_status: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
    for code in Code::ALL.iter().filter(|code| is_said_at(**code, door)) {
        by_status.entry(response_status(*code, door)).or_default().push(code.as_str());
    }
    let mut responses = Responses::new();
    for (status, codes) in by_status {
        let response = ResponseBuilder::new().description(codes.join(", "));
        let response = match (door, status) {
            (Door::Pixel, 200) => response.content("image/gif", Content::new(None::<RefOr<Schema>>)),
            (Door::Click, 302) => response,
            (Door::Click, 403..=422) => response.content("text/html", Content::new(None::<RefOr<Schema>>)),
            (Door::Click | Door::Postback | Door::Clickless | Door::Pixel | Door::Rejection | Door::Status, _) => {
                let answer = || Content::new(Some(Ref::from_schema_name(ANSWER)));
                response.content("application/json", answer()).content("text/plain", Content::new(Some(text_schema())))
            }
        };
        responses.responses.insert(status.to_string(), response.build().into());
    }
    responses
}

fn response_status(code: Code, door: Door) -> u16 {
    match (door, code) {
        (Door::Click, Code::Recorded) => 302,
        // Refused before it is a pixel's.
        (Door::Pixel, Code::MethodNotAllowed | Code::UriTooLong) => status_of(code, Door::Postback, false),
        _ => status_of(code, door, false),
    }
}

/// May this door say this code?
fn is_said_at(code: Code, door: Door) -> bool {
    let (recording, with_id, token) = match door {
        Door::Click => (false, false, false),
        Door::Postback => (true, true, true),
        Door::Clickless => (true, false, true),
        Door::Pixel => (true, true, false),
        Door::Rejection | Door::Status => (false, true, true),
    };
    let of_click = door == Door::Click;
    let changing = matches!(door, Door::Rejection | Door::Status);
    match code {
        Code::MethodNotAllowed | Code::UriTooLong | Code::Internal | Code::TryAgain => true,
        Code::Recorded => recording || of_click,
        Code::Duplicate => recording,
        Code::Confirmed => door == Door::Postback,
        Code::Rejected | Code::ReasonUpdated | Code::ReasonAdded | Code::StatusChanged | Code::NoChange => {
            changing || door == Door::Postback
        }
        Code::Parked | Code::ReasonRequired => door == Door::Rejection,
        Code::ConversionNotFound | Code::AmbiguousTarget => changing,
        Code::InvalidTransition => door == Door::Status || door == Door::Postback,
        Code::DryRun
        | Code::AmbiguousParameter
        | Code::InvalidEncoding
        | Code::ValueTooLong
        | Code::TooManyParameters
        | Code::MissingSecure
        | Code::InvalidSecure
        | Code::TokenCapability
        | Code::IpNotAllowed
        | Code::TokenOfferMismatch
        | Code::RateLimited
        | Code::BodyTooLarge
        | Code::UnsupportedMediaType
        | Code::UnknownEvent => token,
        Code::MissingTransactionId | Code::MalformedTransactionId | Code::UnreplacedMacro => with_id || token,
        Code::UnexpectedTransactionId | Code::OfferRequired | Code::ClicklessDisabled => door == Door::Clickless,
        Code::UnknownOffer => true,
        Code::OfferInactive => recording || of_click,
        Code::MissingPublisher | Code::UnknownPublisher => of_click || door == Door::Clickless,
        Code::PublisherNotAllowed => of_click,
        Code::InvalidAmount | Code::InvalidCurrency => token && door != Door::Rejection,
        Code::InvalidStatus => token && door != Door::Rejection,
        Code::NoBaseConversion => door == Door::Postback || door == Door::Clickless,
        Code::PixelDisabled | Code::PixelDomainRequired => door == Door::Pixel,
        // Said where no door is.
        Code::UnknownRoute => false,
    }
}

fn text_schema() -> Schema {
    Schema::Object(Object::with_type(SchemaType::Type(Type::String)))
}

fn answer_schema() -> Schema {
    let flag = || Schema::Object(Object::with_type(SchemaType::Type(Type::Boolean)));
    let codes = Code::ALL.iter().map(|code| code.as_str());
    let code = text_object().enum_values(Some(codes)).build();
    let list = || Schema::Object(Object::with_type(SchemaType::Type(Type::Object))).to_array();
    let mut object = ObjectBuilder::new()
        .property("ok", flag())
        .property("code", Schema::Object(code.clone()))
        .property("would_be", Schema::Object(code))
        .property("duplicate", flag())
        .property("checks", list())
        .property("warnings", list());
    for name in ["receipt_id", "conversion_id", "transaction_id", "field", "received", "detail", "cure"] {
        object = object.property(name, text_schema());
    }
    let statuses = crate::domain::status::Status::ALL.iter().map(|status| status.as_str());
    let object = object.property("status", Schema::Object(text_object().enum_values(Some(statuses)).build()));
    Schema::Object(object.required("ok").required("code").build())
}

fn text_object() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String))
}

trait ToArray {
    fn to_array(self) -> Schema;
}

impl ToArray for Schema {
    fn to_array(self) -> Schema {
        Schema::Array(utoipa::openapi::schema::ArrayBuilder::new().items(RefOr::T(self)).build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_door_is_described_with_its_parameters_and_statuses() {
        let document: serde_json::Value = serde_json::from_str(&document()).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3."));
        for door in Door::ALL {
            let described = DOORS.iter().find(|described| described.door == door).unwrap();
            let operation = &document["paths"][described.path]["get"];
            let named = |name: &str| operation["parameters"].as_array().unwrap().iter().any(|p| p["name"] == name);
            assert!(parameters(door).all(|spec| named(spec.name)), "{}", described.path);
        }
        assert_eq!(
            document["paths"]["/postback"]["post"]["responses"]["401"]["description"],
            "missing_secure, invalid_secure"
        );
        assert!(document["paths"]["/click"]["get"]["responses"]["302"].is_object());
    }

    #[test]
    fn every_code_is_said_at_some_door() {
        for code in Code::ALL.iter().filter(|code| **code != Code::UnknownRoute) {
            assert!(Door::ALL.iter().any(|door| is_said_at(*code, *door)), "{}", code.as_str());
        }
    }
}
