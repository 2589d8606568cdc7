// Typed documents out of the `.graphql` files beside the pages, against the server's own contract: a schema that
// changed breaks this build, not the user.
import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  schema: "../schema.graphql",
  documents: ["src/**/*.graphql"],
  ignoreNoDocuments: false,
  generates: {
    "./src/api/gql/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      config: {
        documentMode: "string",
        enumsAsTypes: true,
        useTypeImports: true,
        strictScalars: true,
        scalars: {
          CurrencyCode: "string",
          DateTime: "string",
          Decimal: "string",
          IpAddress: "string",
          JSON: "unknown",
          SafeInt: "number",
          TimeZone: "string",
          URL: "string",
        },
      },
    },
  },
};

export default config;
