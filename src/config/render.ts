/**
 * The documentation's table of settings, made from the settings themselves. Pure text; a test
 * compares it with what stands in `README.md`.
 */
import { SETTING_NAMES, type SettingName, SETTINGS } from "./settings.ts";

/** The settings as a Markdown table: name, default, meaning. */
export function settingsTable(): string {
  const rows = SETTING_NAMES.map((name) =>
    `| \`${name}\` | ${defaultOf(name)} | ${escapeCell(SETTINGS[name].doc)} |`
  );
  return ["| setting | default | meaning |", "|---|---|---|", ...rows].join("\n");
}

/** As written by people: the default number of workers depends on the machine that renders. */
function defaultOf(name: SettingName): string {
  if (name === "workers") return "the machine's cores";
  const text = SETTINGS[name].default;
  return text === null || text === "" ? "none" : `\`${text}\``;
}

function escapeCell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("*", "\\*");
}
