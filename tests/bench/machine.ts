/** Says when and where a run took place: figures mean nothing without it. */
import { DatabaseSync } from "node:sqlite";

export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly os: string;
  readonly deno: string;
  readonly sqlite: string;
  /** Programs that wanted to run in the last minute, before this run: above 0.5, noise. */
  readonly load: number;
  /** The program that the start-up is measured of. */
  readonly program: string;
}

export function describeMachine(): Machine {
  using database = disposable(new DatabaseSync(":memory:"));
  const row = database.value.prepare("SELECT sqlite_version() AS version").get();
  return {
    date: new Date().toISOString(),
    cpu: cpuModel(),
    cores: navigator.hardwareConcurrency,
    os: `${Deno.build.os} ${Deno.osRelease()}`,
    deno: Deno.version.deno,
    sqlite: String(row!["version"]),
    load: Deno.loadavg()[0]!,
    program: Deno.env.get("QUEUECTL") || "from source",
  };
}

function cpuModel(): string {
  try {
    const info = Deno.readTextFileSync("/proc/cpuinfo");
    return /^model name\s*:\s*(.+)$/m.exec(info)?.[1] ?? Deno.build.arch;
  } catch {
    return Deno.build.arch;
  }
}

function disposable(value: DatabaseSync): { value: DatabaseSync } & Disposable {
  return { value, [Symbol.dispose]: () => value.close() };
}
