/** Common cron expressions in words. Pure; says nothing where words would be longer than the expression. */

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const DAY_NAMES = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/**
 * What the expression means, or null.
 *
 * @example
 * ```ts
 * import { cronWords } from "./cron_words.ts";
 * import assert from "node:assert/strict";
 * assert.equal(cronWords("0 3 * * 1-5"), "Monday to Friday at 03:00");
 * assert.equal(cronWords("*" + "/5 * * * *"), "every 5 minutes");
 * assert.equal(cronWords("0 0 L * *"), null);
 * ```
 */
export function cronWords(cron: string): string | null {
  const fields = cron.trim().split(/\s+/);
  if (fields.length !== 5) return null;
  const [minute, hour, day, month, weekday] = fields as [string, string, string, string, string];
  if (month !== "*") return null;
  const isDaily = day === "*" && weekday === "*";
  const step = /^\*\/(\d+)$/.exec(minute)?.[1];
  if (hour === "*" && isDaily) {
    if (minute === "*") return "every minute";
    if (step !== undefined) return `every ${step} minutes`;
    if (/^\d+$/.test(minute)) return `every hour at :${minute.padStart(2, "0")}`;
  }
  const hours = /^\*\/(\d+)$/.exec(hour)?.[1];
  if (hours !== undefined && /^\d+$/.test(minute) && isDaily) {
    return `every ${hours} hours at :${minute.padStart(2, "0")}`;
  }
  if (!/^\d+$/.test(minute) || !/^\d+$/.test(hour)) return null;
  const at = `at ${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`;
  if (isDaily) return `every day ${at}`;
  if (weekday === "*" && /^\d+$/.test(day)) return `on day ${day} of every month ${at}`;
  if (day !== "*") return null;
  const days = daysOf(weekday);
  return days === null ? null : `${days} ${at}`;
}

function daysOf(weekday: string): string | null {
  const range = /^(\w+)-(\w+)$/.exec(weekday);
  if (range !== null) {
    const [from, to] = [dayOf(range[1]!), dayOf(range[2]!)];
    return from === null || to === null ? null : `${from} to ${to}`;
  }
  const days = weekday.split(",").map(dayOf);
  return days.includes(null) ? null : `every ${days.join(", ")}`;
}

function dayOf(word: string): string | null {
  if (/^[0-7]$/.test(word)) return DAYS[Number(word) % 7]!;
  const index = DAY_NAMES.indexOf(word.toUpperCase());
  return index === -1 ? null : DAYS[index]!;
}
