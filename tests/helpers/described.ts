/**
 * Holds what goes over the wire against `/openapi.json`: what is answered, and what is sent and
 * accepted. Used by every test that speaks HTTP. Stricter than clients should be: an answer may hold
 * nothing that is not described.
 */
import assert from "node:assert/strict";
import Ajv2020, { type ValidateFunction } from "ajv/dist/2020.js";
import { openApiDocument } from "../../src/http/openapi/document.ts";
import { Router } from "../../src/http/router.ts";
import { ROUTES } from "../../src/http/routes.ts";
import type { Answer } from "./http.ts";

// deno-lint-ignore no-explicit-any -- documents have many shapes
type Json = any;

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const ajv = new Ajv2020.default({ strict: false, formats: { "date-time": ISO_TIME } });
const router = new Router(ROUTES);
const validators = new Map<string, ValidateFunction>();
let document: Json;

/** What was sent, as `fetch` takes it. */
export interface Sent {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string | null;
}

/** Fails when the answer, or what was accepted, is not as it is described. */
export function assertDescribed(
  { method, path, body: sent, contentType }: Sent,
  answer: Answer,
): void {
  const match = router.match(method, path.split("?")[0]!);
  if (match.type !== "route" || method === "HEAD") return;
  const { route } = match;
  document ??= strict(openApiDocument(ROUTES, { version: "9.9.9" }));
  const operation = document.paths[route.path]?.[route.method.toLowerCase()];
  assert.ok(operation, `${route.method} ${route.path} needs a row in http/openapi/operations.ts`);
  const where = `${route.method} ${route.path} ${answer.status}`;
  const described = operation.responses[answer.status] ?? operation.responses.default;
  const mediaType = (answer.headers.get("content-type") ?? "").split(";")[0]!;
  const content = described.content[mediaType];
  assert.ok(content, `${where} is described, but not with ${mediaType}: ${answer.text}`);
  if (/json/.test(mediaType)) check(where, content.schema, answer.body);
  const accepts = operation.requestBody?.content["application/json"];
  if (answer.status >= 300 || accepts === undefined || typeof sent !== "string") return;
  if (sent === "" || contentType?.split(";")[0] !== "application/json") return;
  check(`the body of ${route.method} ${route.path}`, accepts.schema, JSON.parse(sent));
}

function check(what: string, schema: Json, value: unknown): void {
  let validate = validators.get(what);
  if (validate === undefined) {
    validate = ajv.compile({ ...schema, components: document.components });
    validators.set(what, validate);
  }
  if (validate(value)) return;
  assert.fail(`${what}: ${ajv.errorsText(validate.errors)}: ${JSON.stringify(value)}`);
}

/** The document, in which objects have no other properties than those that are described. */
function strict(value: Json): Json {
  if (Array.isArray(value)) return value.map(strict);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, part]) => [name, strict(part)]);
  const copy = Object.fromEntries(entries);
  const isObject = copy.type === "object" ||
    (Array.isArray(copy.type) && copy.type.includes("object"));
  if (isObject && copy.properties !== undefined) copy.additionalProperties ??= false;
  return copy;
}
