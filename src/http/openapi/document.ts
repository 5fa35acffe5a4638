/**
 * The API as an OpenAPI 3.1 document, put together from the table of routes, what is said of each, and
 * the table of problems. Loaded when somebody asks for it.
 *
 * Invariant: it tells what every server of this version answers, and nothing of this one: no
 * settings, no names, no secrets.
 */
import { NAME_SCHEMA } from "../../job/parse.ts";
import type { JsonSchema } from "../../job/field.ts";
import type { Route } from "../context.ts";
import { type ProblemCode, PROBLEMS } from "../problem.ts";
import {
  type Answer,
  type Described,
  type Operation,
  OPERATIONS,
  REQUEST_SCHEMAS,
} from "./operations.ts";
import { ref, SCHEMAS } from "./schemas.ts";

type Json = Record<string, unknown>;

const DESCRIPTION =
  "A durable background-job queue. Every error is application/problem+json; times " +
  "are ISO 8601 in UTC. Whether a token is needed is up to the server.";

/** The document. */
export function openApiDocument(routes: readonly Route[], { version }: { version: string }): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const operation = OPERATIONS[`${route.method} ${route.path}`];
    if (operation === undefined) continue;
    (paths[route.path] ??= {})[route.method.toLowerCase()] = operationObject(route, operation);
  }
  return {
    openapi: "3.1.0",
    info: { title: "queuectl", version, description: DESCRIPTION },
    servers: [{ url: "/" }],
    tags: [...new Set(Object.values(OPERATIONS).map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { ...REQUEST_SCHEMAS, ...SCHEMAS },
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "queuectl token create" },
      },
    },
  };
}

function operationObject(route: Route, operation: Operation): Json {
  const { tag, summary, description, query = {}, headers = {}, body, answers } = operation;
  const parameters = [
    ...[...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => pathParameter(route.path, name!)),
    ...parametersOf(query, "query"),
    ...parametersOf(headers, "header"),
  ];
  return {
    operationId: route.handler.name.replace(/Route$/, ""),
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    // Servers without tokens ask for none.
    security: route.scope === "open" ? [] : [{ token: [route.scope] }, {}],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : { requestBody: { required: !operation.isBodyOptional, content: contentOf(body) } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, answer]) => [status, answerObject(answer)]),
      ),
      ...problemsOf(route, operation),
    },
  };
}

function pathParameter(path: string, name: string): Json {
  // Of files and processes other names are possible.
  const isFree = path.includes("/artifacts/") && name === "name" || name === "process";
  return {
    name,
    in: "path",
    required: true,
    schema: isFree ? { type: "string", minLength: 1 } : NAME_SCHEMA,
  };
}

function parametersOf(described: Readonly<Record<string, Described>>, place: string): Json[] {
  return Object.entries(described).map(([name, { schema, description }]) => ({
    name,
    in: place,
    schema,
    description,
  }));
}

function answerObject({ description, content, headers }: Answer): Json {
  return {
    description,
    content: contentOf(content),
    ...(headers === undefined ? {} : { headers }),
  };
}

function contentOf(byMediaType: Readonly<Record<string, JsonSchema>>): Json {
  return Object.fromEntries(
    Object.entries(byMediaType).map(([mediaType, schema]) => [mediaType, { schema }]),
  );
}

/** What can go wrong, by status; an answer of its own comes first. */
function problemsOf(route: Route, operation: Operation): Json {
  const { query, body, answers, problems = [] } = operation;
  const hasParameters = query !== undefined;
  const codes: ProblemCode[] = [
    ...problems,
    ...(route.scope === "open" ? [] : ["unauthorized", "forbidden", "too-many-requests"] as const),
    ...(route.path.includes("{") ? ["not-found"] as const : []),
    ...(hasParameters || body !== undefined ? ["invalid"] as const : []),
    ...(body === undefined
      ? []
      : ["malformed", "request-timeout", "too-large", "unsupported-media-type"] as const),
    ...(route.path === "/healthz" ? [] : ["store-unavailable"] as const),
  ];
  const titles = new Map<number, Set<string>>();
  for (const code of codes) {
    const { status, title } = PROBLEMS[code];
    if (status in answers) continue;
    if (!titles.has(status)) titles.set(status, new Set());
    titles.get(status)!.add(title);
  }
  const others = "Anything else that can go wrong.";
  const described = [...titles].map(([status, words]) => [status, `${[...words].join("; ")}.`]);
  return Object.fromEntries(
    [...described, ["default", others]].map(([status, description]) => [status, {
      description,
      content: { "application/problem+json": { schema: ref("Problem") } },
    }]),
  );
}
