// What a dashboard asks for, as relay-compiler reads it: refetchable pages, nodes, mutations, subscriptions.
import { graphql } from 'relay-runtime';

graphql`
  query relayConversionsQuery($filter: ConversionFilter) {
    ...relayConversions @arguments(filter: $filter)
  }
`;

graphql`
  fragment relayConversions on Query
  @argumentDefinitions(
    filter: { type: "ConversionFilter" }
    count: { type: "Int", defaultValue: 50 }
    cursor: { type: "String" }
  )
  @refetchable(queryName: "relayConversionsPageQuery") {
    conversions(filter: $filter, first: $count, after: $cursor) @connection(key: "relay_conversions") {
      edges {
        node {
          id
          ...relayConversion
        }
      }
    }
  }
`;

graphql`
  fragment relayConversion on Conversion @refetchable(queryName: "relayConversionRefetchQuery") {
    status
    convertedAt
    offer {
      name
    }
  }
`;

graphql`
  mutation relayRejectMutation($id: ID!, $reason: String!) {
    conversionReject(id: $id, reason: $reason) {
      conversion {
        ...relayConversion
      }
      userErrors {
        code
        field
      }
    }
  }
`;

graphql`
  subscription relayReceiptsSubscription($after: String) {
    receipts(after: $after) {
      cursor
      receipt {
        id
        code
      }
      gap {
        since
        until
      }
    }
  }
`;
