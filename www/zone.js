// The time zone of this browser, beside times that it shows, and in what it asks for.

import { localTime, offsetOf } from "./dom.js";

export function zoneWords() {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const part = Intl.DateTimeFormat("en", { timeZoneName: "longOffset" }).formatToParts().find(({ type }) => type === "timeZoneName");
  const offset = (part?.value ?? "").replace(/^GMT(\+00:00$)?/, "UTC");
  return `Times are those of this browser: ${!timeZone || timeZone === offset ? offset : `${timeZone}, now ${offset}`}.`;
}

// A moment, in seconds since 1970, as RFC 3339 has it in this zone.
export function zonedTime(at) {
  const date = new Date(Math.round(at * 1000));
  return `${localTime(date).replace(" ", "T")}.${date.toISOString().slice(20, 23)}${offsetOf(date).replace(/..$/, ":$&")}`;
}
