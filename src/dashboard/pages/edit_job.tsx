/** Changing a dead or cancelled job and running it again, under the same id. */
import { commandText } from "../../job/command_text.ts";
import type { Job, Payload } from "../../job/job.ts";
import { isAllowed } from "../../job/state.ts";
import { formatDuration } from "../../lib/duration.ts";
import { redirect } from "../answer.ts";
import { callApi } from "../api_answer.ts";
import type { Context } from "../context.ts";
import { flash } from "../flash.ts";
import { link } from "../format.ts";
import { fieldOf, readForm } from "../forms.ts";
import { EditFields, Problems, type Values, valuesOf } from "../job_fields.tsx";
import { page } from "../layout.tsx";
import { ErrorText, JobLink, Note, StateChip } from "../parts.tsx";
import { apiPath } from "./actions.tsx";

/** A larger text is not edited in a browser. */
const MOST_EDITED = 256 * 1024;

export async function editPage(context: Context): Promise<Response> {
  const { services: { queue }, params } = context;
  const job = await queue.find(params["id"]!);
  const payload = await queue.payload(job);
  return await show(context, job, payload, valuesOfJob(job, payload), []);
}

export async function editPost(context: Context): Promise<Response> {
  const { call, services: { queue, settings }, params } = context;
  const id = params["id"]!;
  const form = await readForm(call, settings["upload-limit"]);
  const job = await queue.find(id);
  const payload = await queue.payload(job);
  const json = readChanges(form, job, payload);
  const result = "problem" in json
    ? { isOk: false as const, problems: [json.problem as string], status: 422 }
    : await callApi(call, { method: "POST", path: apiPath(id, "requeue"), json });
  if (result.isOk) return redirect(link(["jobs", id], flash("edited")));
  return await show(context, job, payload, valuesOf(form), result.problems, result.status);
}

/** How the payload is edited: a command as text, other kinds as JSON, an upload as its text. */
function editableText(job: Job, payload: Payload): string {
  if (typeof payload !== "string") return new TextDecoder().decode(payload);
  const value = JSON.parse(payload);
  if (job.kind !== "command") return JSON.stringify(value, null, 2);
  return typeof value.command === "string" ? value.command : JSON.stringify(value.command);
}

/** What was changed, as the API takes it. */
function readChanges(
  form: URLSearchParams,
  job: Job,
  payload: Payload,
): Record<string, unknown> {
  const numberOf = (name: string) => {
    const value = fieldOf(form, name);
    return value === undefined ? undefined : /^[+-]?\d{1,15}$/.test(value) ? Number(value) : value;
  };
  const options = {
    priority: numberOf("priority"),
    max_retries: numberOf("max_retries"),
    timeout: fieldOf(form, "timeout") ?? null,
  };
  if (!form.has("payload")) return options;
  const typed = (form.get("payload") ?? "").replaceAll("\r\n", "\n");
  if (typed === editableText(job, payload).replaceAll("\r\n", "\n")) return options;
  if (job.kind === "command") {
    const words = typed.trimStart().startsWith("[") ? parse(typed) : undefined;
    const isWords = Array.isArray(words);
    return { ...options, command: isWords ? words : typed };
  }
  if (typeof payload !== "string") return { ...options, payload: typed };
  const value = parse(typed);
  return value === undefined
    ? { problem: "payload: expected JSON, which this is not" }
    : { ...options, payload: value };
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function valuesOfJob(job: Job, payload: Payload): Values {
  return {
    payload: editableText(job, payload),
    priority: String(job.priority),
    max_retries: String(job.maxRetries),
    timeout: job.timeoutMs === null ? undefined : formatDuration(job.timeoutMs),
  };
}

async function show(
  context: Context,
  job: Job,
  payload: Payload,
  values: Values,
  problems: readonly string[],
  status = problems.length > 0 ? 422 : 200,
): Promise<Response> {
  const { settings } = context.services;
  const isCommand = job.kind === "command";
  const isLocked = isCommand && !(settings["allow-commands"] && context.caller.may("command"));
  const isEditable = isAllowed("requeue", job.state);
  const isLarge = payload.length > MOST_EDITED;
  return await page(
    context,
    { title: "Edit and run again", place: "Jobs", status },
    <>
      <h1>Edit and run again</h1>
      <p>
        <StateChip state={job.state} /> <JobLink id={job.id} />
      </p>
      {job.lastError !== null && (
        <p class="error-text">
          <ErrorText>{job.lastError.message}</ErrorText>
        </p>
      )}
      <Problems problems={problems} />
      {!isEditable
        ? (
          <Note tone="warn">
            <p>Only dead and cancelled jobs can be run again.</p>
          </Note>
        )
        : (
          <form method="post" action={link(["jobs", job.id, "edit"])} class="panel">
            {isLarge ? <p class="soft">Its payload is too large to edit here.</p> : isLocked
              ? (
                <>
                  <Note tone="info">
                    <p>
                      The command cannot be changed from here: that needs a server started with{" "}
                      <code>--allow-commands</code> and, with tokens, the scope command.
                    </p>
                  </Note>
                  <pre class="data" tabindex={0} role="region" aria-label="Command">
                  {commandText(payload) ?? ""}
                  </pre>
                  <input type="hidden" name="payload" value={values["payload"] ?? ""} />
                </>
              )
              : (
                <>
                  <label for="payload">{isCommand ? "Command" : "Payload"}</label>
                  <textarea id="payload" name="payload" rows={8} class="mono" spellcheck={false}>
                    {`\n${values["payload"] ?? ""}`}
                  </textarea>
                </>
              )}
            <EditFields values={values} />
            <div class="actions">
              <button type="submit" class="primary">Run again with these changes</button>
              <a class="button" href={link(["jobs", job.id])}>Back</a>
            </div>
          </form>
        )}
    </>,
  );
}
