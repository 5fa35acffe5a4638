/** Adding a job: a command, an upload, or JSON for any kind. */
import { commandText } from "../../job/command_text.ts";
import type { Job, Payload } from "../../job/job.ts";
import { formatDuration } from "../../lib/duration.ts";
import { redirect } from "../answer.ts";
import { type ApiResult, callApi } from "../api_answer.ts";
import type { Context } from "../context.ts";
import { flash } from "../flash.ts";
import { bytes, link } from "../format.ts";
import { fieldOf, readForm } from "../forms.ts";
import { OptionFields, optionsOf, Problems, type Values, valuesOf } from "../job_fields.tsx";
import { page } from "../layout.tsx";
import { Note } from "../parts.tsx";

/** What is wrong with which of the forms. */
interface Trouble {
  readonly form: "command" | "upload" | "json";
  readonly problems: readonly string[];
  readonly status: number;
}

export async function newJobPage(context: Context): Promise<Response> {
  const { query, services: { queue }, caller } = context;
  const from = query.get("from");
  const job = from === null || !caller.may("read") ? null : await queue.store.find(from);
  if (job === null) return await show(context, {}, null);
  return await show(context, copyOf(job, await queue.payload(job)), null);
}

/** What the forms begin with when they are to add the same once more. */
function copyOf(job: Job, payload: Payload): Values {
  const options = {
    queue: job.queue === "default" ? undefined : job.queue,
    priority: job.priority === 0 ? undefined : String(job.priority),
    max_retries: String(job.maxRetries),
    timeout: job.timeoutMs === null ? undefined : formatDuration(job.timeoutMs),
  };
  if (typeof payload !== "string") {
    const text = new TextDecoder().decode(payload);
    return { ...options, kind: job.kind, payload: JSON.stringify(text) };
  }
  if (job.kind !== "command") {
    return { ...options, kind: job.kind, payload: JSON.stringify(JSON.parse(payload), null, 2) };
  }
  const { cwd } = JSON.parse(payload) as { cwd?: string | null };
  return { ...options, command: commandText(payload) ?? "", cwd: cwd ?? undefined };
}

/** Adds what the form for commands, or the one for JSON, describes. */
export async function newJobPost(context: Context): Promise<Response> {
  const { call, services: { settings } } = context;
  const form = await readForm(call, settings["upload-limit"]);
  const values = valuesOf(form);
  const which = form.get("form") === "json" ? "json" : "command";
  const input = which === "json" ? jsonInput(form) : commandInput(form);
  if ("problem" in input) {
    return await show(context, values, {
      form: which,
      problems: [String(input.problem)],
      status: 422,
    });
  }
  const result = await callApi(call, { method: "POST", path: "/jobs", json: input });
  return await answer(context, result, values, which);
}

/** Adds what was uploaded: the form goes to the API as it is. */
export async function uploadPost(context: Context): Promise<Response> {
  const { call } = context;
  const result = await callApi(call, { method: "POST", path: "/jobs", request: call.request });
  return await answer(context, result, {}, "upload");
}

async function answer(
  context: Context,
  result: ApiResult,
  values: Values,
  form: Trouble["form"],
): Promise<Response> {
  if (!result.isOk) {
    const { problems, status } = result;
    return await show(context, values, { form, problems, status });
  }
  const done = result.status === 201 ? "added" : "existing";
  if (!context.caller.may("read")) return redirect(link(["new"], flash(done)));
  return redirect(link(["jobs", result.body.job_id], flash(done)));
}

function commandInput(form: URLSearchParams): Record<string, unknown> {
  const cwd = fieldOf(form, "cwd");
  return {
    command: (form.get("command") ?? "").replaceAll("\r\n", "\n"),
    ...(cwd === undefined ? {} : { cwd }),
    ...optionsOf(form),
  };
}

function jsonInput(form: URLSearchParams): Record<string, unknown> | { problem: string } {
  const text = form.get("payload") ?? "";
  try {
    return {
      kind: fieldOf(form, "kind"),
      payload: text.trim() === "" ? null : JSON.parse(text),
      ...optionsOf(form),
    };
  } catch (error) {
    return { problem: `payload: expected JSON: ${(error as Error).message}` };
  }
}

async function show(context: Context, values: Values, trouble: Trouble | null): Promise<Response> {
  const { services: { queue, settings }, caller } = context;
  const mayCommand = settings["allow-commands"] && caller.may("command");
  const kinds = [...queue.parseContext().kinds.keys()].filter((kind) => kind !== "command");
  const problemsOf = (form: Trouble["form"]) => trouble?.form === form ? trouble.problems : [];
  return await page(
    context,
    { title: "New job", place: "Jobs", status: trouble?.status },
    <>
      <h1>New job</h1>
      <section class="panel" aria-labelledby="command-title">
        <h2 id="command-title">Run a command</h2>
        <Problems problems={problemsOf("command")} />
        {mayCommand
          ? (
            <form method="post" action={link(["new"])}>
              <input type="hidden" name="form" value="command" />
              <label for="command">Command, as in a shell</label>
              <textarea
                id="command"
                name="command"
                rows={3}
                required
                spellcheck={false}
                class="mono"
                placeholder="pg_dump shop > shop.sql"
              >
                {`\n${values["command"] ?? ""}`}
              </textarea>
              <div class="field">
                <label for="cwd">In the directory</label>
                <input id="cwd" name="cwd" value={values["cwd"] ?? ""} class="mono" />
                <span class="hint">the one that the server was started in, unless you say</span>
              </div>
              <OptionFields values={values} prefix="command" />
              <button type="submit" class="primary">Add the command</button>
            </form>
          )
          : (
            <Note tone="info">
              <p>
                {settings["allow-commands"]
                  ? `The token ${caller.name} may not add commands: that needs the scope command.`
                  : "This server takes no commands over the network, because whoever may add them " +
                    "may run anything here. To allow it, start it with:"}{" "}
                {!settings["allow-commands"] && <code>queuectl serve --allow-commands</code>}
              </p>
              <p>
                On the machine itself it always works: <code>queuectl add "echo hello"</code>
              </p>
            </Note>
          )}
      </section>
      <section class="panel" aria-labelledby="upload-title">
        <h2 id="upload-title">Count the characters of a text</h2>
        <Problems problems={problemsOf("upload")} />
        <form
          method="post"
          action={link(["new", "upload"])}
          enctype="multipart/form-data"
          data-upload="/jobs"
        >
          <div class="drop">
            <label for="file">Text file, at most {bytes(settings["upload-limit"])}</label>
            <input id="file" name="file" type="file" required />
            <span class="hint" data-drop-hint hidden>or drop files here</span>
          </div>
          <p role="status" data-upload-status></p>
          <button type="submit" class="primary">Upload</button>
        </form>
      </section>
      <section class="panel" aria-labelledby="json-title">
        <h2 id="json-title">Any other kind</h2>
        <Problems problems={problemsOf("json")} />
        <form method="post" action={link(["new"])}>
          <input type="hidden" name="form" value="json" />
          <div class="field">
            <label for="kind">Kind</label>
            <input
              id="kind"
              name="kind"
              required
              list="kinds"
              value={values["kind"] ?? ""}
              autocomplete="off"
            />
            <datalist id="kinds">{kinds.map((kind) => <option value={kind} />)}</datalist>
            <span class="hint">what runs here: {kinds.join(", ")}</span>
          </div>
          <label for="payload">Payload, as JSON</label>
          <textarea id="payload" name="payload" rows={5} class="mono" spellcheck={false}>
            {`\n${values["payload"] ?? ""}`}
          </textarea>
          <OptionFields values={values["kind"] === undefined ? {} : values} prefix="json" />
          <button type="submit" class="primary">Add the job</button>
        </form>
      </section>
    </>,
  );
}
