// What a linter of GraphQL schemas says: descriptions, names, and the rules of Relay. Prints each complaint.
// node lint.mjs SCHEMA
import { readFileSync } from 'node:fs';
import graphql from '@graphql-eslint/eslint-plugin';
import { Linter } from 'eslint';

const [schemaFile] = process.argv.slice(2);
const code = readFileSync(schemaFile, 'utf8');
const rules = {
  ...graphql.configs['flat/schema-recommended'].rules,
  ...graphql.configs['flat/schema-relay'].rules,
  '@graphql-eslint/require-description': ['error', { types: true, FieldDefinition: true, InputValueDefinition: true, EnumValueDefinition: true, DirectiveDefinition: true }],
  // The printer writes what has one line in one line.
  '@graphql-eslint/description-style': 'off',
  // Connections, edges, payloads and values have none; whatever implements Node has one.
  '@graphql-eslint/strict-id-in-types': 'off',
  // A history and a page of receipts inside a page are read forwards.
  '@graphql-eslint/relay-arguments': ['error', { includeBoth: false }],
  // `nodes` beside `edges`, and lists that can never be long.
  '@graphql-eslint/relay-edge-types': ['error', { withEdgeSuffix: true, shouldImplementNode: false, listTypeCanWrapOnlyEdgeType: false }],
  // clickedAt and conversionIp are called what everybody in this trade calls them.
  '@graphql-eslint/no-typename-prefix': 'off',
  // A test of ours compares the file with what the code prints, in order.
  '@graphql-eslint/alphabetize': 'off',
};
const config = {
  files: ['**/*.graphql'],
  plugins: { '@graphql-eslint': graphql },
  languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema: code } } },
  rules,
};
// Arguments of directives: the printer leaves their descriptions out.
const isPrinters = ({ message }) => / in directive "/.test(message);
const messages = new Linter({ configType: 'flat' }).verify(code, [config], { filename: 'schema.graphql' }).filter((message) => !isPrinters(message));
for (const { line, ruleId, message } of messages) console.log(`${line}: ${ruleId}: ${message}`);
console.log(`${messages.length} complaints, ${Object.keys(rules).length} rules`);
