/** How fast many jobs run again, as people choose it. The words of the API stand first. */
const PACES = [
  ["", "all at once"],
  ["10/1s", "10 a second"],
  ["1/1s", "1 a second"],
  ["10/1m", "10 a minute"],
  ["1/1m", "1 a minute"],
] as const;

/** How fast the jobs of a form run again; its field is `pace`. */
export function PaceChoice() {
  return (
    <label>
      at a pace of{" "}
      <select name="pace">
        {PACES.map(([value, name]) => <option value={value}>{name}</option>)}
      </select>
    </label>
  );
}
