/** `queuectl config list|get|set|unset`: the settings, and those of them stored in the database. */
import {
  isSettingName,
  isStored,
  parseSetting,
  resolveSettings,
  SETTING_NAMES,
  type SettingName,
  SETTINGS,
  type SettingSources,
  sourceOf,
  variableOf,
} from "../../config/settings.ts";
import type { ValueType } from "../../config/values.ts";
import { shownDatabase } from "../../lib/database_url.ts";
import { EXIT, UsageError } from "../exit.ts";
import type { Invocation } from "../command.ts";
import { signatureOf, withStore } from "../context.ts";
import type { Column } from "../output.ts";
import { didYouMean } from "../suggest.ts";

export function run(invocation: Invocation): Promise<number> {
  switch (invocation.spec.path[1]) {
    case "list":
      return list(invocation);
    case "get":
      return get(invocation, parseKey(invocation.args[0]!));
    case "set":
      return set(invocation, parseKey(invocation.args[0]!), invocation.args[1]!);
    default:
      return unset(invocation, parseKey(invocation.args[0]!));
  }
}

const COLUMNS: readonly Column[] = [
  { title: "SETTING" },
  { title: "VALUE" },
  { title: "SOURCE" },
  { title: "DEFAULT" },
];

function list(invocation: Invocation): Promise<number> {
  const { out } = invocation;
  return withStore(invocation, ({ sources }) => {
    const views = SETTING_NAMES.map((name) => settingView(name, sources));
    if (out.isJson) out.json(views);
    else {
      out.table(
        COLUMNS,
        views.map(({ key, value, source, default: fallback }) => [
          key,
          source === "default" ? value || "none" : out.colors.bold(value || "none"),
          source,
          fallback || "none",
        ]),
      );
    }
    return Promise.resolve(EXIT.done);
  });
}

function get(invocation: Invocation, name: SettingName): Promise<number> {
  const { out } = invocation;
  return withStore(invocation, ({ sources }) => {
    const view = settingView(name, sources);
    if (out.isJson) out.json(view);
    else out.line(view.value || "none");
    return Promise.resolve(EXIT.done);
  });
}

function set(invocation: Invocation, name: SettingName, text: string): Promise<number> {
  const { out } = invocation;
  if (!isStored(name)) {
    throw new UsageError(
      `${name} cannot be stored in the database: every process is told by itself; ` +
        `give --${name} or ${variableOf(name)}`,
    );
  }
  const type = SETTINGS[name].type as ValueType<unknown>;
  const value = type.format(parseSetting(name, text, name));
  return withStore(invocation, async ({ store, sources }) => {
    await store.configSet(name, value, signatureOf(invocation.io, store));
    if (out.isJson) out.json({ key: name, value });
    else out.line(`${name} = ${value}`);
    const { source } = sourceOf(name, sources);
    if (source === "environment") out.note(`Here ${variableOf(name)} counts more.`);
    return EXIT.done;
  });
}

function unset(invocation: Invocation, name: SettingName): Promise<number> {
  const { out } = invocation;
  return withStore(invocation, async ({ store }) => {
    const wasSet = await store.configUnset(name, signatureOf(invocation.io, store));
    if (out.isJson) out.json({ key: name, was_set: wasSet });
    else out.line(wasSet ? `${name} is no longer stored` : `${name} was not stored`);
    return EXIT.done;
  });
}

/** What counts here, where it comes from, and what would count without it. */
function settingView(name: SettingName, sources: SettingSources) {
  const { text: given, source } = sourceOf(name, sources);
  const text = name === "db" ? shownDatabase(given!) : given;
  return {
    key: name,
    value: effective(name, text, sources),
    source,
    default: SETTINGS[name].default,
  };
}

/** A value as it is written, also where it follows from another setting, or null for none. */
function effective(name: SettingName, text: string | null, sources: SettingSources): string | null {
  if (name !== "heartbeat" || text !== null) return text;
  const lease = sourceOf("lease", sources);
  const stored = new Map([["lease", lease.text!]]);
  const { heartbeat } = resolveSettings({ flags: {}, env: () => undefined, stored });
  return SETTINGS.heartbeat.type.format(heartbeat);
}

function parseKey(word: string): SettingName {
  if (isSettingName(word)) return word;
  throw new UsageError(
    `there is no setting ${JSON.stringify(word)}${didYouMean(word, SETTING_NAMES)}`,
    "queuectl config list shows them all",
  );
}
