"""What schemathesis holds an answer of the admin API to, beside its own checks."""

import schemathesis

CODES = {
    "UNAUTHENTICATED", "FORBIDDEN", "BAD_REQUEST", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED",
    "BAD_USER_INPUT", "QUERY_TOO_COMPLEX", "RATE_LIMITED", "TIMEOUT", "INTERNAL",
}


@schemathesis.check
def errors_have_a_code_and_none_is_our_fault(ctx, response, case):
    answer = response.json()
    assert set(answer) <= {"data", "errors", "extensions"}, answer
    for error in answer.get("errors", []):
        code = error.get("extensions", {}).get("code")
        assert code in CODES, error
        assert code not in ("INTERNAL", "TIMEOUT"), error
