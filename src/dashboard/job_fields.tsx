/**
 * The fields that a job's forms share, and the JSON that they stand for. Owns their names and
 * explanations; what is allowed in them is the API's business, which names every problem.
 */
import { fieldOf } from "./forms.ts";

/** What stands in the fields: what was typed, or what the form begins with. */
export type Values = Readonly<Record<string, string | undefined>>;

interface FieldSpec {
  readonly name: string;
  readonly label: string;
  readonly hint: string;
  readonly isNumber?: boolean;
}

const OPTIONS: readonly FieldSpec[] = [
  { name: "queue", label: "Queue", hint: "default, unless you say another" },
  {
    name: "priority",
    label: "Priority",
    hint: "higher runs first; 0 unless you say",
    isNumber: true,
  },
  { name: "delay", label: "Run after", hint: "such as 30s, 10m, 2h; at once unless you say" },
  {
    name: "max_retries",
    label: "Retries",
    hint: "after the first attempt fails; 3 unless the settings say otherwise",
    isNumber: true,
  },
  {
    name: "timeout",
    label: "Timeout of an attempt",
    hint: "such as 30s, 10m; none unless you say",
  },
  {
    name: "id",
    label: "Id",
    hint: "a made-up one unless you say; a second job with it is refused",
  },
  { name: "unique_key", label: "Unique key", hint: "at most one unfinished job has it" },
];

/** The options that may be changed when a job runs again. */
const EDITABLE = ["priority", "max_retries", "timeout"];

/** The options, put away until somebody wants them. */
export function OptionFields({ values, prefix }: { values: Values; prefix: string }) {
  const isOpen = OPTIONS.some(({ name }) => values[name] !== undefined);
  return (
    <details class="options" open={isOpen}>
      <summary>More options</summary>
      <div class="fields">
        {OPTIONS.map((spec) => <Field spec={spec} value={values[spec.name]} prefix={prefix} />)}
      </div>
    </details>
  );
}

export function EditFields({ values }: { values: Values }) {
  return (
    <div class="fields">
      {OPTIONS.filter(({ name }) => EDITABLE.includes(name)).map((spec) => (
        <Field spec={{ ...spec, hint: "" }} value={values[spec.name]} prefix="edit" />
      ))}
    </div>
  );
}

function Field(
  { spec: { name, label, hint, isNumber }, value, prefix }: {
    spec: FieldSpec;
    value: string | undefined;
    prefix: string;
  },
) {
  const id = `${prefix}-${name}`;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        name={name}
        value={value ?? ""}
        autocomplete="off"
        inputmode={isNumber ? "numeric" : undefined}
        aria-describedby={hint === "" ? undefined : `${id}-hint`}
      />
      {hint !== "" && <span class="hint" id={`${id}-hint`}>{hint}</span>}
    </div>
  );
}

/** What was typed into the fields, to show it again. */
export function valuesOf(form: URLSearchParams): Values {
  return Object.fromEntries(
    [...form].map(([name, value]) => [name, value === "" ? undefined : value]),
  );
}

/** The options as the API takes them. */
export function optionsOf(form: URLSearchParams): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const { name, isNumber } of OPTIONS) {
    const value = fieldOf(form, name);
    if (value === undefined) continue;
    options[name] = isNumber && /^[+-]?\d{1,15}$/.test(value) ? Number(value) : value;
  }
  return options;
}

/** What is wrong with what was typed. */
export function Problems({ problems }: { problems: readonly string[] }) {
  if (problems.length === 0) return null;
  return (
    <div class="note bad" role="alert">
      <p>
        <strong>{problems.length === 1 ? "This is wrong:" : "These are wrong:"}</strong>
      </p>
      <ul>
        {problems.map((problem) => (
          <li>
            <bdi>{problem}</bdi>
          </li>
        ))}
      </ul>
    </div>
  );
}
