/** What a process has used, as Linux tells it in /proc. */

/**
 * CPU time of all threads that live, in milliseconds. From the scheduler's own clock: the usual
 * counters advance in ticks of 10 ms and miss whatever sleeps between two of them.
 */
export function cpuMs(pid: number): number {
  let nanoseconds = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    try {
      const stat = Deno.readTextFileSync(`/proc/${pid}/task/${name}/schedstat`);
      nanoseconds += Number(stat.split(" ")[0]);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // the thread has just ended
    }
  }
  return nanoseconds / 1e6;
}

/** Resident memory now, and the most there ever was, in megabytes (10^6 bytes). */
export function memoryMb(pid: number): { now: number; peak: number } {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)![1]) * 1_024 / 1e6;
  return { now: field("VmRSS"), peak: field("VmHWM") };
}
