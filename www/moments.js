// Moments and lengths of recordings, for people and for addresses. Moments are seconds since 1970; days and times of
// day are those of this browser.

import { localTime, plural } from "./dom.js";

const dateOf = (at) => new Date(Math.round(at * 1000));

// The moment in a query, as seconds or RFC 3339; undefined where there is none.
export function momentIn(text) {
  const at = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Date.parse(text) / 1000;
  return Number.isFinite(at) ? at : undefined;
}

// A moment as the page writes it in its addresses.
export const inAddress = (at) => dateOf(at).toISOString().replace(".000Z", "Z");

export const timeOf = (at) => localTime(dateOf(at)).slice(11);
export const dayOf = (at) => localTime(dateOf(at)).slice(0, 10);
export const dayAndTime = (at) => localTime(dateOf(at));

// The moments at which a day begins and ends; a day has 23 to 25 hours.
export function endsOf(day) {
  const [year, month, date] = day.split("-").map(Number);
  return [0, 1].map((later) => new Date(year, month - 1, date + later).getTime() / 1000);
}

// A day in words, with its year where that is not the present one.
export function dayWords(day, now) {
  const year = day.slice(0, 4) === dayOf(now).slice(0, 4) ? undefined : "numeric";
  const words = new Date(endsOf(day)[0] * 1000)
    .toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short", year }).replace(",", "");
  const ago = { [dayOf(now)]: "Today, ", [dayOf(endsOf(dayOf(now))[0] - 1)]: "Yesterday, " }[day] ?? "";
  return ago + words;
}

// A length in at most two units.
export function lengthWords(seconds) {
  const s = Math.max(Math.round(seconds), 0);
  const [days, hours, minutes] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  const parts = days ? [plural(days, "day"), hours && `${hours} h`]
    : hours ? [`${hours} h`, minutes && `${minutes} min`]
      : minutes ? [`${minutes} min`, s % 60 && `${s % 60} s`]
        : [s ? `${s} s` : "under 1 s"];
  return parts.filter(Boolean).join(" ");
}

export function sizeWords(bytes) {
  if (bytes >= 1e12) return `${(bytes / 1e12).toFixed(1)} TB`;
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(bytes < 1e10 ? 1 : 0)} GB`;
  return `${Math.round(bytes / 1e6)} MB`;
}
