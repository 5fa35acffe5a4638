/**
 * Who a process is, so that another one on the same machine can tell whether it still lives. Where
 * that cannot be known (another machine, another container, no /proc) the answer is "perhaps", and
 * only the lease decides.
 */
import process from "node:process";

/**
 * Names this machine, this boot and this process namespace: process ids can be compared only where
 * all three agree.
 */
export function thisHost(): string {
  return `${hostName()}/${bootId()}/${pidNamespace()}`;
}

function bootId(): string {
  return readText("/proc/sys/kernel/random/boot_id")?.trim() ?? "";
}

/** In containers, where everybody's first process has the number 1, it is this that differs. */
function pidNamespace(): string {
  try {
    return Deno.readLinkSync("/proc/self/ns/pid");
  } catch {
    return ""; // not Linux, or not allowed
  }
}

/** A process that may not ask for the name may not look into /proc either: it compares nothing. */
function hostName(): string {
  try {
    return Deno.hostname();
  } catch {
    return "";
  }
}

/**
 * When a process started, in the kernel's clock ticks since boot; it tells a reused process id from
 * the first one. Empty where it cannot be known. Source: proc(5), /proc/pid/stat, field 22.
 */
export function processStart(pid: number): string {
  // Where it is not known whose numbers these are, a start says nothing.
  if (bootId() === "" || pidNamespace() === "") return "";
  return statFields(pid)?.[19] ?? "";
}

/**
 * False only when it is certain that the process has ended. To be asked of a process of
 * {@link thisHost} alone: another machine has others by the same number.
 */
export function mayBeAlive(pid: number, start: string): boolean {
  if (start === "") return true;
  const fields = statFields(pid);
  // Of another user's processes /proc may show nothing (hidepid).
  if (fields === null) return isThere(pid);
  const [state] = fields;
  return fields[19] === start && state !== "Z" && state !== "X";
}

/** Whether the kernel knows such a process; true where it will not say. */
function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as { code?: unknown }).code !== "ESRCH";
  }
}

/** The fields of /proc/pid/stat from the third (state) on; null: no such process. */
function statFields(pid: number): string[] | null {
  const stat = readText(`/proc/${pid}/stat`);
  // The second field is the name in parentheses, which may itself hold spaces and parentheses.
  return stat === null ? null : stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function readText(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return null;
  }
}
