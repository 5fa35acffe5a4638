/** The reference of the API, at `/docs`: what `/openapi.json` says, for people. */
import type { Context } from "../context.ts";
import { page } from "../layout.tsx";
import { type Schema, SchemaView } from "../schema_view.tsx";

/** The parts of the document that are shown. */
interface Reference {
  readonly info: { readonly version: string; readonly description: string };
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly security: readonly { readonly token?: readonly string[] }[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, Answer>>;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Schema;
}

interface Answer {
  readonly description: string;
  readonly content: Content;
  readonly headers?: Readonly<Record<string, { readonly description: string }>>;
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>;

interface Place {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

export async function referencePage(context: Context): Promise<Response> {
  const answer = await context.call.api({ method: "GET", path: "/openapi.json" });
  const document = await answer.json() as Reference;
  const places = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Place => ({ method, path, operation }))
  );
  const { info, tags, components } = document;
  return await page(
    context,
    { title: "API reference" },
    <>
      <h1>API reference</h1>
      <p>
        {info.description} For programs: <a href="/openapi.json">openapi.json</a>.
      </p>
      {tags.map(({ name }) => (
        <section class="panel" id={`tag-${name}`}>
          <h2>{name}</h2>
          {places.filter(({ operation }) => operation.tags.includes(name)).map((place) => (
            <OperationView place={place} />
          ))}
        </section>
      ))}
      <section class="panel" id="schemas">
        <h2>Shapes</h2>
        {Object.entries(components.schemas).map(([name, schema]) => (
          <section class="shape" id={`schema-${name}`}>
            <h3>{name}</h3>
            <SchemaView schema={schema} />
          </section>
        ))}
      </section>
    </>,
  );
}

function OperationView({ place: { method, path, operation } }: { place: Place }) {
  const { operationId, summary, description, parameters = [], requestBody } = operation;
  return (
    <details class="operation" id={operationId}>
      <summary>
        <code>
          <strong>{method.toUpperCase()}</strong> {path}
        </code>{" "}
        {summary}
      </summary>
      {description !== undefined && <p>{description}</p>}
      <p class="soft">{rightOf(operation)}</p>
      {parameters.length > 0 && (
        <>
          <h3>Parameters</h3>
          <ul class="schema">
            {parameters.map((one) => (
              <li>
                <code>{one.name}</code>
                <span class="soft">{one.in}{one.required === true ? "" : ", optional"}</span>
                <SchemaView schema={{ ...one.schema, description: one.description }} />
              </li>
            ))}
          </ul>
        </>
      )}
      {requestBody !== undefined && (
        <>
          <h3>Body{requestBody.required ? "" : ", optional"}</h3>
          <ContentView content={requestBody.content} />
        </>
      )}
      <h3>Answers</h3>
      <ul class="schema">
        {Object.entries(operation.responses).map(([status, answer]) => (
          <li>
            <strong>{status === "default" ? "others" : status}</strong> {answer.description}
            {answer.headers !== undefined &&
              Object.entries(answer.headers).map(([name, header]) => (
                <span class="soft">{name}: {header.description}</span>
              ))}
            <ContentView content={answer.content} />
          </li>
        ))}
      </ul>
    </details>
  );
}

function ContentView({ content }: { content: Content }) {
  return (
    <ul class="schema">
      {Object.entries(content).map(([mediaType, { schema }]) => (
        <li>
          <code>{mediaType}</code>
          <SchemaView schema={schema} />
        </li>
      ))}
    </ul>
  );
}

function rightOf({ security }: Operation): string {
  const scope = security.find(({ token }) => token !== undefined)?.token?.[0];
  return scope === undefined
    ? "Needs no token."
    : `Needs the scope ${scope}, where the server asks for tokens.`;
}
