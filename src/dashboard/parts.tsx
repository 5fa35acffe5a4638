/** The small parts that pages are made of. Own how they look in HTML; know no page. */
import type { Child } from "hono/jsx";
import type { JobState } from "../job/state.ts";
import { fullTime, link, relative, visible, withoutColors } from "./format.ts";

/** What each state means, for those who point at its name. */
export const STATE_MEANING: Readonly<Record<JobState, string>> = {
  pending: "waits for a worker",
  started: "a worker has it and is about to run it",
  processing: "runs now",
  completed: "finished",
  failed: "an attempt failed; it will be tried again",
  dead: "failed with no retries left",
  cancelled: "stopped by a person or a rule",
};

export function StateChip({ state, big = false }: { state: JobState; big?: boolean }) {
  return (
    <span class={`chip s-${state}${big ? " big" : ""}`} title={STATE_MEANING[state]}>{state}</span>
  );
}

/** A moment, as seen from now; the exact time shows when it is pointed at. */
export function Time({ at, now }: { at: number | null; now: number }) {
  if (at === null) return <span class="soft">–</span>;
  return <time datetime={new Date(at).toISOString()} title={fullTime(at)}>{relative(at, now)}
  </time>;
}

/** Text that a caller chose: its control characters can be seen, its direction stays its own. */
export function Data({ children, mono = false }: { children?: Child; mono?: boolean }) {
  const text = typeof children === "string" ? visible(children) : children;
  return <bdi class={mono ? "mono" : undefined}>{text}</bdi>;
}

/** What went wrong, as the worker told it: without the colours that programs give to their errors. */
export function ErrorText({ children }: { children: string }) {
  return <Data>{withoutColors(children)}</Data>;
}

export function JobLink({ id, short = false }: { id: string; short?: boolean }) {
  return (
    <a class="mono id" href={link(["jobs", id])} title={id}>
      <bdi>{short ? shortId(id) : id}</bdi>
    </a>
  );
}

/** Ids of our own making differ at their end; those that people chose are shown whole. */
function shortId(id: string): string {
  return /^[0-9a-f]{32}$/.test(id) ? `${id.slice(0, 4)}…${id.slice(-8)}` : id;
}

/** A form that is one button. */
export function PostButton(
  { action, label, tone = "", fields = {}, title }: {
    action: string;
    label: string;
    tone?: "" | "primary" | "danger";
    fields?: Readonly<Record<string, string>>;
    title?: string;
  },
) {
  return (
    <form method="post" action={action} class="inline">
      {Object.entries(fields).map(([name, value]) => (
        <input type="hidden" name={name} value={value} />
      ))}
      <button type="submit" class={tone} title={title}>{label}</button>
    </form>
  );
}

/** What stands where there is nothing to show, and what to do about it. */
export function Empty({ title, children }: { title: string; children?: Child }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

/** Something that people may want to copy. */
export function Copyable({ text, label }: { text: string; label: string }) {
  return (
    <div class="copyable">
      <pre tabindex={0} role="region" aria-label={label}><code>{text}</code></pre>
      <button type="button" class="copy" data-copy={text} hidden>Copy</button>
    </div>
  );
}

/** Facts with their names. Those that are null are left out. */
export function Facts({ rows }: { rows: readonly (readonly [string, Child | null])[] }) {
  return (
    <dl class="facts">
      {rows.filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => (
        <div>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export type Tone = "good" | "info" | "warn" | "bad";

/** Something that everybody who looks should notice. */
export function Note({ tone, children, role }: { tone: Tone; children?: Child; role?: string }) {
  return <div class={`note ${tone}`} role={role}>{children}</div>;
}
