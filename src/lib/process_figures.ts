/** What the system says of this process: memory, processor time, descriptors. */

/** Clock ticks a second in /proc; 100 on every Linux that Deno runs on (sysconf(3), _SC_CLK_TCK). */
const TICKS_PER_S = 100;

const startedAtMs = Math.round(performance.timeOrigin);

export function processFigures(): {
  readonly residentBytes: number;
  readonly cpuSeconds: number | null;
  readonly openDescriptors: number | null;
  readonly startedAtMs: number;
} {
  return {
    residentBytes: Deno.memoryUsage().rss,
    cpuSeconds: cpuSeconds(),
    openDescriptors: openDescriptors(),
    startedAtMs,
  };
}

/** User and system time. Null: not Linux, or not permitted. */
function cpuSeconds(): number | null {
  try {
    const stat = Deno.readTextFileSync("/proc/self/stat");
    // The name before, in brackets, may hold anything. Then utime and stime: see proc_pid_stat(5).
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
  } catch {
    return null;
  }
}

function openDescriptors(): number | null {
  try {
    return [...Deno.readDirSync("/proc/self/fd")].length;
  } catch {
    return null;
  }
}
