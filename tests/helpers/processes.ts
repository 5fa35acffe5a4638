/**
 * Processes of this machine as /proc tells of them: who lives, who carries a mark, how much memory
 * one takes. Owns no process; knows nothing of queuectl. Linux only, as are the tests that use it.
 */

/** The live processes whose environment holds this `NAME=value`; a mark is inherited by children. */
export function processesWith(entry: string): number[] {
  return processesWhere((environment) => environment.includes(entry));
}

/** The live processes whose environment, a list of `NAME=value`, is such a one. */
export function processesWhere(isSuch: (environment: readonly string[]) => boolean): number[] {
  return allPids().filter((pid) => isSuch(environmentOf(pid)));
}

/** The environment that a process was started with; empty when it is gone. */
export function environmentOf(pid: number): string[] {
  return readProc(pid, "environ").split("\0").filter((entry) => entry !== "");
}

/** The live children of a process, each with its command line, words joined by spaces. */
export function childrenOf(parent: number): { pid: number; commandLine: string }[] {
  return allPids()
    .filter((pid) => statFields(pid)?.[1] === String(parent))
    .map((pid) => ({ pid, commandLine: readProc(pid, "cmdline").replaceAll("\0", " ").trim() }));
}

/** Whether the process exists and is no zombie. */
export function isAlive(pid: number): boolean {
  const state = statFields(pid)?.[0];
  return state !== undefined && state !== "Z" && state !== "X";
}

/** Whether all of the process stands still after a SIGSTOP. */
export function isPaused(pid: number): boolean {
  return statFields(pid)?.[0] === "T";
}

/** The most physical memory that the process has ever taken, in bytes. */
export function peakMemoryBytes(pid: number): number {
  const found = /^VmHWM:\s+(\d+) kB$/m.exec(readProc(pid, "status"));
  if (found === null) throw new Error(`process ${pid} tells no VmHWM: is it alive?`);
  return Number(found[1]) * 1024;
}

/** The physical memory that the process takes now, in bytes. */
export function memoryBytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(pid, "status"));
  if (found === null) throw new Error(`process ${pid} tells no VmRSS: is it alive?`);
  return Number(found[1]) * 1024;
}

/** How many file descriptors the process has open. */
export function descriptorCount(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

/** How long the process has used a processor since it began, in its own code and in the kernel's. */
export function cpuMs(pid: number): number {
  const fields = statFields(pid);
  if (fields === null) throw new Error(`there is no process ${pid}`);
  // Fields 14 and 15, in clock ticks; there are 100 of them in a second on every Linux.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Ends processes at once; those that are gone already are no error. */
export function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      Deno.kill(pid, "SIGKILL");
    } catch { /* it ended meanwhile */ }
  }
}

/** What a process is, for messages. */
export function describeProcess(pid: number): string {
  return `${pid} (${readProc(pid, "cmdline").replaceAll("\0", " ").trim().slice(0, 120)})`;
}

function allPids(): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter(Number.isInteger);
}

/** The fields of /proc/PID/stat from the third (state) on; null: no such process. */
function statFields(pid: number): string[] | null {
  const stat = readProc(pid, "stat");
  return stat === "" ? null : stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function readProc(pid: number, file: string): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/${file}`);
  } catch {
    return "";
  }
}
