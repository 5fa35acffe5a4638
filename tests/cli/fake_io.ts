/** A process that is only pretended: what a command prints, with or without a terminal. */
import type { CliIo } from "../../src/cli/io.ts";

export interface FakeIo extends CliIo {
  readonly printed: { stdout: string; stderr: string };
}

export function fakeIo(
  { isTerminal = false, columns = 120, rows = 24, env = {}, stdin = "", nowMs = 0, cwd = "/" }: {
    isTerminal?: boolean;
    columns?: number;
    rows?: number;
    env?: Record<string, string>;
    stdin?: string;
    nowMs?: number;
    cwd?: string;
  } = {},
): FakeIo {
  const printed = { stdout: "", stderr: "" };
  const sink = (name: "stdout" | "stderr") => ({
    isTerminal,
    columns,
    rows,
    write(data: string | Uint8Array) {
      printed[name] += typeof data === "string" ? data : new TextDecoder().decode(data);
    },
  });
  return {
    printed,
    stdout: sink("stdout"),
    stderr: sink("stderr"),
    stdin: { isTerminal, readable: () => new Blob([stdin]).stream(), setRaw: () => {} },
    env: (variable) => env[variable],
    cwd: () => cwd,
    clock: () => nowMs,
    random: () => 0.5,
  };
}
