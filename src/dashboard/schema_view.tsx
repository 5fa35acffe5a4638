/** A JSON Schema as people read it: types in words, properties in a list. Knows no page. */
import type { Child } from "hono/jsx";

/** As far as this document uses the language. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly examples?: readonly unknown[];
}

/** What it is, with the properties of the objects in it. */
export function SchemaView({ schema }: { schema: Schema }) {
  const inner = objectsIn(schema);
  return (
    <>
      <SchemaType schema={schema} />
      {schema.description !== undefined && <span class="soft">{schema.description}</span>}
      {inner.map((one) => <Properties schema={one} />)}
    </>
  );
}

function Properties({ schema: { properties = {}, required = [] } }: { schema: Schema }) {
  return (
    <ul class="schema">
      {Object.entries(properties).map(([name, property]) => (
        <li>
          <code>{name}</code>
          {!required.includes(name) && <span class="soft">optional</span>}
          <SchemaView schema={property} />
        </li>
      ))}
    </ul>
  );
}

function SchemaType({ schema }: { schema: Schema }) {
  const [example] = schema.examples ?? [];
  return (
    <span>
      {typeOf(schema)}
      {boundsOf(schema)}
      {example !== undefined && <span class="soft">, as {JSON.stringify(example)}</span>}
    </span>
  );
}

function typeOf(schema: Schema): Child {
  const { $ref, anyOf, items, type } = schema;
  if ($ref !== undefined) {
    const name = $ref.split("/").at(-1)!;
    return <a href={`#schema-${name}`}>{name}</a>;
  }
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((one) => JSON.stringify(one)).join(", ");
  if (anyOf !== undefined && type === undefined) {
    return <>{anyOf.map((one, index) => <>{index > 0 && " or "}{typeOf(one)}</>)}</>;
  }
  if (items !== undefined) return <>array of {typeOf(items)}</>;
  if (type === undefined) return "anything";
  return typeof type === "string" ? type : type.join(" or ");
}

function boundsOf({ minimum, maximum, maxLength, maxItems }: Schema): string {
  const bounds = [
    ...(minimum === undefined ? [] : [`from ${minimum}`]),
    ...(maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? [] : [`to ${maximum}`]),
    ...(maxLength === undefined ? [] : [`of at most ${maxLength} characters`]),
    ...(maxItems === undefined ? [] : [`, at most ${maxItems}`]),
  ];
  return bounds.length === 0 ? "" : ` ${bounds.join(" ")}`.replace(" ,", ",");
}

/** The objects of which something is to be said, in lists and among alternatives too. */
function objectsIn(schema: Schema): readonly Schema[] {
  if (schema.properties !== undefined) return [schema];
  if (schema.items !== undefined) return objectsIn(schema.items);
  return (schema.anyOf ?? []).flatMap(objectsIn);
}
