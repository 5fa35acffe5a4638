/**
 * Requests to every route and every page, made from the program's own tables, so that a new one is
 * tried too: with fields, parameters and names that are right, nearly right or nonsense.
 *
 * Invariant: no request made here is to be answered later than at once.
 */
import { PAGES } from "../../../src/dashboard/routes.ts";
import { ROUTES } from "../../../src/http/routes.ts";
import type { Random } from "../../../src/lib/clock.ts";
import { between, oneOf } from "../random.ts";
import { nastyText, nastyValue, randomText, spoil } from "./junk.ts";
import { encode, type RawRequest, request } from "./raw_request.ts";

type Make = (random: Random) => unknown;

/** Some jobs, queues and schedules have these names. */
const NAMES = ["one", "two", "three", "default", "mail"];

const name: Make = (random) => random() < 0.7 ? oneOf(random, NAMES) : nastyText(random);

const job: Make = (random) => ({
  ...{ kind: oneOf(random, ["count", "http", "command"]), payload: oneOf(random, ["x", "", 5]) },
  ...(random() < 0.5 ? { id: name(random) } : {}),
  ...(random() < 0.3 ? some(random, JOB_FIELDS, 0.1) : {}),
});

/** What only jobs have. */
const JOB_FIELDS: Readonly<Record<string, Make>> = {
  key: name,
  unique_key: name,
  on_conflict: oneOfOr(["return", "replace", "refuse"]),
  after: (random) => random() < 0.5 ? name(random) : [name(random), name(random)],
  after_on: oneOfOr(["success", "failure", "any"]),
  callback_url: oneOfOr(["http://127.0.0.1:1/", "http://[::1]/", "http://a b", "file:///etc"]),
  backoff: oneOfOr(["linear:10s", "1s,5s", "exponential:1e9", "fixed", { type: "list" }]),
  jitter: oneOfOr([0, 0.5, 1, 2, "0.2"]),
  retry_on: oneOfOr([[75], "75,111", [], 256]),
  max_age: oneOfOr(["1h", "0s", 5]),
};

/** Fields of bodies and forms, parameters of queries: each name with what may be sent under it. */
const FIELDS: Readonly<Record<string, Make>> = {
  ...JOB_FIELDS,
  kind: oneOfOr(["count", "http", "command", "resize"]),
  payload: oneOfOr(["x", "", '{"url":"http://127.0.0.1:1/"}', { url: "http://10.0.0.1/" }]),
  command: oneOfOr(["true", ["true"], []]),
  priority: oneOfOr([0, 5, "5", 1e7]),
  max_retries: oneOfOr([0, 3, "3", 1e9]),
  timeout: oneOfOr(["5s", "0s", 5, ""]),
  action: oneOfOr(["cancel", "requeue", "delete"]),
  q: search,
  ids: (random) => random() < 0.7 ? [name(random), name(random)] : nastyValue(random),
  id: name,
  pace: oneOfOr(["10/1s", "1/1m", "0/1s", "1s", "10m"]),
  dry_run: oneOfOr([true, false, "true"]),
  sure: oneOfOr(["1", "0"]),
  next: oneOfOr(["/ui", "/ui/jobs?q=x", "//evil.example", "https://evil.example", "/ui\\x"]),
  group: oneOfOr(["", "count|error|x", "||", "|"]),
  form: oneOfOr(["json", "command"]),
  name,
  cron,
  tz: oneOfOr(["UTC", "Europe/Berlin", "Europe/Berlim", "+02:00", "utc"]),
  every: oneOfOr(["1s", "10m", "1ms", "9999d"]),
  catch_up: oneOfOr(["once", "skip", "all"]),
  overlap: oneOfOr(["allow", "skip"]),
  replace: oneOfOr([true, true, false]),
  job,
  max_running: oneOfOr([1, 5, null, "", "none"]),
  key_max_running: oneOfOr([1, null, ""]),
  rate: oneOfOr([{ limit: 5, period: "1s" }, "5/1s", null, { limit: 0, period: "0s" }]),
  state: oneOfOr(["dead", "dead,failed", "all", "waiting"]),
  queue: name,
  limit: oneOfOr(["1", "1000", "0", "99999"]),
  cursor: oneOfOr(["1", "0", "-1", "9".repeat(20)]),
  before: oneOfOr(["1", "0", "2030-01-01"]),
  from: name,
  token: oneOfOr(["x", ""]),
  last_event_id: oneOfOr(["0", "1.0", "999999999999999.999999999", "1.", ".1", "-1"]),
  wait: oneOfOr(["0", "61", "-1", "1e1"]),
  stream: oneOfOr(["stdout", "stderr"]),
  attempt: oneOfOr(["1", "0", "99"]),
  age: oneOfOr(["1h", "1d"]),
};

/** A request to something that there is. */
export const routes: RawRequest = (random, host) => {
  const { method, path } = oneOf(random, TARGETS);
  const text = (value: unknown) => encodeURIComponent(asText(value));
  const filled = path.replaceAll(/\{\w+\}/g, () => {
    const part = asText(name(random));
    return random() < 0.9 ? encodeURIComponent(part) : part;
  });
  const query = Object.entries(some(random, FIELDS, random() < 0.5 ? 0 : 0.05))
    .map(([key, value]) => `${key}=${random() < 0.9 ? text(value) : asText(value)}`).join("&");
  const target = query === "" ? filled : `${filled}?${query}`;
  const head = { "Last-Event-ID": "last_event_id", "Idempotency-Key": "name" };
  const headers = Object.entries(head).filter(() => random() < 0.1)
    .map(([header, field]) => `${header}: ${asText(FIELDS[field]!(random)).slice(0, 2_000)}`)
    .filter((line) => /^[\x20-\x7e]*$/.test(line));
  if (method === "GET" || method === "DELETE") return request(host, method, target, { headers });
  const fields = some(random, FIELDS, 0.15);
  const isForm = path.startsWith("/ui");
  const type = isForm ? "application/x-www-form-urlencoded" : "application/json";
  const value = path === "/jobs/batch"
    ? [job(random), { ...job(random) as object, ...fields }]
    : path === "/jobs"
    ? { ...job(random) as object, ...fields }
    : fields;
  let body = encode(
    isForm
      ? Object.entries(fields).map(([key, one]) => `${key}=${text(one)}`).join("&")
      : JSON.stringify(value),
  );
  if (random() < 0.1) body = spoil(random, body) as typeof body;
  return request(host, method, target, { headers, type, body });
};

const TARGETS: readonly { readonly method: string; readonly path: string }[] = [
  ...ROUTES,
  ...PAGES.map(({ method, path }) => ({ method, path: `/ui${path}` })),
  ...[{ method: "GET", path: "/ui/login" }, { method: "POST", path: "/ui/login" }],
  ...[{ method: "POST", path: "/ui/logout" }, { method: "GET", path: "/ui/assets/{name}" }],
];

/** Some of the fields, each with this probability, but for those that the path's own need. */
function some(
  random: Random,
  fields: Readonly<Record<string, Make>>,
  probability: number,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).filter(() => random() < probability)
      .map(([field, make]) => [field, make(random)]),
  );
}

/** One of these, seldom something else. */
function oneOfOr(things: readonly unknown[]): Make {
  return (random) => random() < 0.85 ? oneOf(random, things) : nastyValue(random);
}

function search(random: Random): string {
  const qualifiers = [
    "state",
    "queue",
    "kind",
    "key",
    "worker",
    "id",
    "error",
    "output",
    "payload",
  ];
  const terms = Array.from({ length: between(random, 0, 6) }, () => {
    const before = oneOf(random, ["", "", "-", "--", '"']);
    const qualifier = oneOf(random, [
      "",
      `${oneOf(random, qualifiers)}:`,
      `${
        oneOf(random, ["before", "after", "nonsense", "payload.a.0.b", "payload.", "payload.*"])
      }:`,
    ]);
    const value = oneOf(random, [
      () =>
        oneOf(random, ["dead", "dead,failed", "x*", "*", "%_", "\\", "2030-12-01", '"a b"', '"']),
      () => nastyText(random),
      () => randomText(random),
    ])();
    return `${before}${qualifier}${value}`;
  });
  return terms.join(" ").slice(0, random() < 0.95 ? 990 : undefined);
}

function cron(random: Random): string {
  if (random() < 0.15) return oneOf(random, ["@daily", "@reboot", "@", nastyText(random)]);
  const parts = ["*", "*/5", "0", "59", "60", "L", "W", "15W", "#2", "1#5", "5L", "1-5", "5-1"];
  const more = [
    "MON",
    "JAN",
    "FEB-XYZ",
    "?",
    "*/0",
    "*/99",
    "1,2,3",
    ",",
    "-",
    "1/1/1",
    "31",
    "30 2",
  ];
  const length = between(random, 4, 7);
  return Array.from({ length }, () =>
    oneOf(
      random,
      random() < 0.6 ? ["*", "0", "1"] : [
        ...parts,
        ...more,
      ],
    )).join(oneOf(random, [" ", " ", "  ", "\t"]));
}

function asText(value: unknown): string {
  return (typeof value === "string" ? value : JSON.stringify(value) ?? "").toWellFormed();
}
