// What relay-compiler and graphql-codegen make of the schema and of the operations in `operations`.
// node compile.mjs SCHEMA FOLDER: the folder is empty and is written to.
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codegen } from '@graphql-codegen/core';
import * as typescript from '@graphql-codegen/typescript';
import * as operations from '@graphql-codegen/typescript-operations';
import { buildSchema, parse, printSchema } from 'graphql';
import relay from 'relay-compiler';
import ts from 'typescript';

const [schemaFile, folder] = process.argv.slice(2);
const here = import.meta.dirname;
const schema = buildSchema(readFileSync(schemaFile, 'utf8'));
const read = (name) => readFileSync(join(here, 'operations', name), 'utf8');
const documents = readdirSync(join(here, 'operations'))
  .filter((name) => name.endsWith('.graphql'))
  .map((name) => ({ location: name, document: parse(read(name)) }));
const generate = async (filename, plugin) => {
  const output = await codegen({
    schema: parse(printSchema(schema)),
    schemaAst: schema,
    documents,
    filename,
    config: {},
    plugins: [{ plugin: {} }],
    pluginMap: { plugin },
  });
  writeFileSync(join(folder, filename), output);
  return join(folder, filename);
};
const files = [await generate('schema.ts', typescript), await generate('operations.ts', operations)];
const program = ts.createProgram(files, { strict: true, noEmit: true, skipLibCheck: true, types: [] });
const complaints = ts.getPreEmitDiagnostics(program).map((it) => ts.flattenDiagnosticMessageText(it.messageText, '\n'));
if (complaints.length > 0) throw new Error(complaints.join('\n'));

cpSync(join(here, 'operations', 'relay.ts'), join(folder, 'relay.ts'));
cpSync(schemaFile, join(folder, 'schema.graphql'));
const config = { root: folder, sources: { '': 'roundtrip' }, projects: { roundtrip: { schema: 'schema.graphql', language: 'typescript' } } };
writeFileSync(join(folder, 'relay.config.json'), JSON.stringify(config));
execFileSync(relay, ['--repersist', join(folder, 'relay.config.json')], { cwd: folder, stdio: 'inherit' });
const artifacts = readdirSync(join(folder, '__generated__'));
console.log(JSON.stringify({ codegen: documents.length, relay: artifacts.length }));
