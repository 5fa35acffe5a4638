/** Proves the table of settings: defaults, precedence, and what is said of a bad value. */
import assert from "node:assert/strict";
import {
  isSettingName,
  isStored,
  parseSetting,
  resolveSettings,
  SETTING_NAMES,
  type SettingError,
  type SettingName,
  SETTINGS,
  type SettingSources,
  type SettingTexts,
  sourceOf,
  variableOf,
} from "../../src/config/settings.ts";
import type { ValueType } from "../../src/config/values.ts";

interface Given {
  flags?: SettingTexts;
  env?: Record<string, string>;
  stored?: Record<string, string>;
}

function sources({ flags = {}, env = {}, stored = {} }: Given = {}): SettingSources {
  return { flags, env: (name) => env[name], stored: new Map(Object.entries(stored)) };
}

const resolve = (given?: Given) => resolveSettings(sources(given));

/** The settings of the product contract, section 6, and its defaults. */
const CONTRACT = {
  "db": "./queue.db",
  "host": "127.0.0.1",
  "port": 8000,
  "workers": navigator.hardwareConcurrency,
  "lease": 30_000,
  "heartbeat": 10_000,
  "reap-interval": 5_000,
  "upload-limit": 1_048_576,
  "log-level": "info",
  "log-format": null,
  "log-file": null,
  "fault-fail": 0,
  "fault-crash": 0,
  "fault-hang": 0,
  "max-retries": 3,
  "backoff-base": 2,
  "backoff-cap": 3_600_000,
  "job-timeout": null,
  "shutdown-timeout": 30_000,
  "output-limit": 1_048_576,
  "synchronous": "full",
  "simulated-work": 0,
  "allow-commands": false,
  "sqlite-driver": "builtin",
  "token-file": null,
  "insecure": false,
} satisfies Partial<Record<SettingName, unknown>>;

for (const [name, value] of Object.entries(CONTRACT)) {
  Deno.test(`the default of ${name} is ${value}`, () => {
    assert.deepEqual(resolve()[name as SettingName], value);
  });
}

Deno.test("every default fits its own type and is written as its type writes it", () => {
  for (const name of SETTING_NAMES) {
    const { type, default: text } = SETTINGS[name];
    if (text === null) continue;
    const value = (type as ValueType<unknown>).parse(text);
    assert.notEqual(value, undefined, name);
    assert.equal((type as ValueType<unknown>).format(value), text, name);
  }
});

Deno.test("every setting is explained", () => {
  for (const name of SETTING_NAMES) {
    assert.match(SETTINGS[name].doc, /\.$/, name);
    assert.match(name, /^[a-z]+(-[a-z]+)*$/);
  }
});

Deno.test("a setting a-b is the variable QUEUECTL_A_B", () => {
  assert.equal(variableOf("db"), "QUEUECTL_DB");
  assert.equal(variableOf("max-retries"), "QUEUECTL_MAX_RETRIES");
});

Deno.test("a flag wins over the environment, that over the config table, that over the default", () => {
  const flags = { "max-retries": "1" };
  const env = { QUEUECTL_MAX_RETRIES: "2" };
  const stored = { "max-retries": "4" };
  const cases: [Given, number, string][] = [
    [{ flags, env, stored }, 1, "flag"],
    [{ env, stored }, 2, "environment"],
    [{ stored }, 4, "config"],
    [{}, 3, "default"],
  ];
  for (const [given, value, source] of cases) {
    assert.equal(resolve(given)["max-retries"], value);
    assert.equal(sourceOf("max-retries", sources(given)).source, source);
  }
});

Deno.test("every setting can be given by flag and by environment", () => {
  for (const name of SETTING_NAMES) {
    const text = SETTINGS[name].default || "2s";
    assert.equal(sourceOf(name, sources({ flags: { [name]: text } })).source, "flag", name);
    const env = { [variableOf(name)]: text };
    assert.equal(sourceOf(name, sources({ env })).source, "environment", name);
  }
});

Deno.test("an empty variable counts as not set", () => {
  assert.equal(resolve({ env: { QUEUECTL_PORT: "" } }).port, 8000);
});

Deno.test("what must be known before the database is open is never read from it", () => {
  for (const name of ["db", "sqlite-driver", "token-file", "insecure"] as const) {
    assert.equal(isStored(name), false, name);
    assert.equal(sourceOf(name, sources({ stored: { [name]: "on" } })).source, "default");
  }
  assert.equal(isStored("max-retries"), true);
});

Deno.test("the heartbeat is a third of the lease unless it is given", () => {
  assert.equal(resolve({ flags: { lease: "9s" } }).heartbeat, 3_000);
  assert.equal(resolve({ flags: { lease: "100ms" } }).heartbeat, 33);
  assert.equal(resolve({ flags: { lease: "9s", heartbeat: "1s" } }).heartbeat, 1_000);
});

Deno.test("a bad value is refused, naming its source, what was expected and what was found", () => {
  const cases: [Given, RegExp][] = [
    [{ flags: { port: "http" } }, /^--port: expected a whole number from 0 to 65535, got "http"$/],
    [{ env: { QUEUECTL_LEASE: "9" } }, /^QUEUECTL_LEASE: expected a duration .*, got "9"$/],
    [{ stored: { "backoff-base": "0" } }, /^config key backoff-base: expected a number above 0/],
  ];
  for (const [given, message] of cases) {
    assert.throws(() => resolve(given), { name: "SettingError", message });
  }
});

Deno.test("all bad values are named at once", () => {
  const given = {
    flags: { workers: "-1" },
    env: { QUEUECTL_PORT: "x" },
    stored: { lease: "soon" },
  };
  assert.throws(() => resolve(given), ({ problems }: SettingError) => {
    assert.deepEqual(problems.map((problem) => problem.split(":")[0]), [
      "QUEUECTL_PORT",
      "--workers",
      "config key lease",
    ]);
    return true;
  });
});

Deno.test("a bad value that is overruled does no harm", () => {
  assert.equal(resolve({ flags: { port: "1" }, env: { QUEUECTL_PORT: "x" } }).port, 1);
});

const ACCEPTED: [SettingName, string, unknown][] = [
  ["port", "0", 0],
  ["port", "65535", 65_535],
  ["workers", "0", 0],
  ["backoff-base", "0.5", 0.5],
  ["backoff-base", "1e2", 100],
  ["backoff-cap", "0s", 0],
  ["lease", "500ms", 500],
  ["output-limit", "64KiB", 65_536],
  ["upload-limit", "10", 10],
  ["upload-limit", "8GiB", 8 * 2 ** 30],
  ["fault-fail", "0.25", 0.25],
  ["fault-hang", "1", 1],
  ["allow-commands", "TRUE", true],
  ["allow-commands", "no", false],
  ["synchronous", "normal", "normal"],
  ["pass-env", " A, B,,C ", ["A", "B", "C"]],
  ["pass-env", "*", ["*"]],
  ["job-timeout", "1h", 3_600_000],
];

for (const [name, text, value] of ACCEPTED) {
  Deno.test(`${name} accepts ${JSON.stringify(text)}`, () => {
    assert.deepEqual(parseSetting(name, text, `--${name}`), value);
  });
}

const REFUSED: [SettingName, string[]][] = [
  ["port", ["-1", "65536", "80.5", "0x50", "1e3", "", " "]],
  ["workers", ["257", "-1", "many"]],
  ["backoff-base", ["0", "-2", "NaN", "Infinity", "two", "", "1e999"]],
  ["lease", ["99ms", "25h", "0s", "30"]],
  ["output-limit", ["-1", "2GiB", "1MB"]],
  ["upload-limit", ["0", "1025GiB"]],
  ["fault-fail", ["-0.1", "1.1", "50%", ""]],
  ["allow-commands", ["maybe", "", "2"]],
  ["synchronous", ["FULL", "off", ""]],
  ["log-level", ["trace", "INFO"]],
  ["db", ["", "a\0b"]],
];

for (const [name, texts] of REFUSED) {
  for (const text of texts) {
    Deno.test(`${name} refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseSetting(name, text, `--${name}`), {
        name: "SettingError",
        message: `--${name}: expected ${SETTINGS[name].type.expected}, got ${JSON.stringify(text)}`,
      });
    });
  }
}

Deno.test("isSettingName() knows settings, and nothing that objects inherit", () => {
  assert.ok(SETTING_NAMES.every(isSettingName));
  for (const name of ["", "toString", "__proto__", "max_retries"]) {
    assert.equal(isSettingName(name), false, name);
  }
});
