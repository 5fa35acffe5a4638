/** The output of an attempt on a page: streams, search, colours, following what runs. */
import { raw } from "hono/html";
import type { OutputStream } from "../job/job.ts";
import type { AttemptView } from "../queue/queue.ts";
import type { StoredChunk } from "../store/store.ts";
import { bytes, count, counted, encodeSegment, link } from "./format.ts";
import { type OutputLine, outputLines } from "./output_lines.ts";

/** More lines than people read; the rest is in the raw output. */
const MOST_LINES = 1_000;

export interface OutputOptions {
  readonly jobId: string;
  readonly attempt: AttemptView;
  readonly chunks: readonly StoredChunk[];
  readonly query: URLSearchParams;
  /** Whether the API shows this one when it is asked for the attempt with its number. */
  readonly isLatest: boolean;
}

export function Output({ jobId, attempt, chunks, query, isLatest }: OutputOptions) {
  const stream = streamOf(query.get("stream"));
  const find = (query.get("find") ?? "").slice(0, 200);
  const isOnlyFound = query.get("only") === "1";
  const view = outputLines(chunks, { stream, find, isOnlyFound, mostLines: MOST_LINES });
  const asked = query.get("run");
  const isRunning = attempt.outcome === "running";
  const sizes = { stdout: sizeOf(chunks, "stdout"), stderr: sizeOf(chunks, "stderr") };
  const notes = (["stdout", "stderr"] as const).flatMap((one) => {
    const printed = attempt[`${one}Bytes`] ?? 0;
    return printed > sizes[one]
      ? [
        `${one} was longer than output-limit: ${bytes(sizes[one])} of ${bytes(printed)} were kept.`,
      ]
      : [];
  });
  const rawOf = (one: OutputStream) =>
    `/jobs/${encodeSegment(jobId)}/output?stream=${one}&attempt=${attempt.attempt}`;
  return (
    <section class="panel" id="output">
      <div class="panel-head">
        <h2>
          Output{" "}
          <span class="soft">of attempt {attempt.attempt}{isRunning && ", which runs now"}</span>
        </h2>
        <nav class="tabs" aria-label="Streams">
          {([undefined, "stdout", "stderr"] as const).map((one) => (
            <a
              href={`${link(["jobs", jobId], { run: asked, stream: one, find })}#output`}
              aria-current={one === stream ? "true" : undefined}
            >
              {one ?? "both"}
            </a>
          ))}
        </nav>
      </div>
      <form class="row find-output" action={`${link(["jobs", jobId])}#output`}>
        {asked !== null && <input type="hidden" name="run" value={asked} />}
        {stream !== undefined && <input type="hidden" name="stream" value={stream} />}
        <input
          type="search"
          name="find"
          value={find}
          aria-label="Search in the output"
          placeholder="Search in the output"
          maxlength={200}
        />
        <label class="check">
          <input type="checkbox" name="only" value="1" checked={isOnlyFound} /> only lines with it
        </label>
        <button type="submit">Search</button>
        {find !== "" && <span role="status">{counted(view.found, "line")} found</span>}
      </form>
      {view.left > 0 && (
        <p class="soft small">
          {counted(view.left, "earlier line")} {view.left === 1 ? "is" : "are"}{" "}
          not shown; all is in the raw output below.
        </p>
      )}
      {view.lines.length === 0
        ? (
          <p class="empty-line">
            {find !== "" && isOnlyFound
              ? "No line has it."
              : isRunning
              ? "Nothing printed yet."
              : "Nothing was printed."}
          </p>
        )
        : (
          <pre
            class="output"
            tabindex={0}
            role="region"
            aria-label="Output"
            data-follow={isRunning ? "" : undefined}
          >{raw(view.lines.map(lineHtml).join(""))}</pre>
        )}
      <p class="soft small">
        {isLatest && (
          <>
            Raw: <a href={rawOf("stdout")}>stdout</a> ({bytes(sizes.stdout)}),{" "}
            <a href={rawOf("stderr")}>stderr</a> ({bytes(sizes.stderr)})
          </>
        )}
        {notes.map((note) => ` · ${note}`)}
        {view.lines.length > 20 && ` · ${count(view.lines.length)} lines shown`}
      </p>
    </section>
  );
}

function streamOf(word: string | null): OutputStream | undefined {
  return word === "stdout" || word === "stderr" ? word : undefined;
}

function sizeOf(chunks: readonly StoredChunk[], stream: OutputStream): number {
  return chunks.reduce((sum, chunk) => chunk.stream === stream ? sum + chunk.bytes.length : sum, 0);
}

/** As text and not as elements: a thousand lines would take as many times as long. */
function lineHtml({ stream, pieces, isFound }: OutputLine): string {
  const html = pieces.map(({ text, look, isFound }) => {
    const escaped = escapeHtml(text);
    const marked = isFound ? `<mark>${escaped}</mark>` : escaped;
    return look === "" ? marked : `<span class="${look}">${marked}</span>`;
  }).join("");
  const name = `${stream === "stderr" ? "err" : ""}${isFound ? " hit" : ""}`.trim();
  return `<span class="line ${name}">${html}\n</span>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text so that it is nothing but text in HTML. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}
