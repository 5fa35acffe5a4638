/**
 * What the holder of a token may do. The only statement of what each scope allows; the table of
 * routes says which scope a route asks for.
 */

/** Each scope with what it is for, and the scopes that it includes. */
const SCOPE_TABLE = {
  read: { doc: "look at jobs, results, output, numbers", includes: [] },
  submit: { doc: "add jobs, but no commands", includes: [] },
  // Who may delete a job may see it; adding work stays a right of its own.
  admin: {
    doc: "cancel, requeue and delete jobs, pause and limit queues, see the audit log, and read",
    includes: ["read"],
  },
  // Of no use alone: a command job is added with `submit`, on a server with --allow-commands.
  command: { doc: "with submit: add jobs that run commands", includes: [] },
} as const satisfies Record<string, { doc: string; includes: readonly string[] }>;

export type Scope = keyof typeof SCOPE_TABLE;

export const SCOPES = Object.keys(SCOPE_TABLE) as Scope[];

export function isScope(word: string): word is Scope {
  return Object.hasOwn(SCOPE_TABLE, word);
}

/** Whether someone with these scopes may do what asks for the `needed` one. */
export function allows(held: readonly Scope[], needed: Scope): boolean {
  return held.some((scope) =>
    scope === needed || (SCOPE_TABLE[scope].includes as readonly Scope[]).includes(needed)
  );
}
