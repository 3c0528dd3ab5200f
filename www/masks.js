// The masks of a camera, for admins: areas that nobody sees. They are drawn on the live picture; a change works once
// it is applied, and lasts after a restart only if it is saved.

import { ask, askIfThere } from "./api.js";
import { act, button, confirmed, make, NOT_SAVED, plural, say, sentence, styled } from "./dom.js";
import { Drawing } from "./drawing.js";
import { layOver } from "./overlay.js";

const HELP = "Nobody sees what is below a mask. Draw a rectangle on the picture, or add one. Drag its points and its middle, " +
  "or move them with the arrow keys; Delete removes a point or a mask, Escape takes a move back. A cross on a side adds a point.";

// Fills `host` with the editor and lays it over the picture of `camera`. What comes back shows a new status of the
// camera (`show`), says whether something is not applied yet (`isChanged`), asks whether that is to be lost
// (`mayLeave`), and takes the editor away (`leave`).
export async function showMasks(host, camera, isWanted) {
  const path = `cameras/${encodeURIComponent(camera.name)}`;
  const [found] = await Promise.all([askIfThere(path), styled("masks.css")]);
  if (!isWanted()) return undefined;
  const done = make("a", { href: `?camera=${encodeURIComponent(camera.name)}` }, "Done");
  host.hidden = false;
  if (!found?.settings?.masks) {
    host.replaceChildren(make("h2", {}, "Masks"), make("p", {}, "The masks of this camera cannot be changed here."), done);
    return { show() {}, leave() {} };
  }
  return editor(host, camera, { path, found, done });
}

function editor(host, camera, { path, found, done }) {
  const [status, wrong] = [make("p", { role: "status", class: "quiet" }), make("p", { role: "alert", class: "bad" })];
  let applied = found.settings.masks;
  const isChanged = () => JSON.stringify(drawing.polygons) !== JSON.stringify(applied);
  const changed = () => {
    const { mask, point } = drawing.meant;
    removeMask.hidden = mask === undefined;
    say(removeMask, `Remove mask ${mask + 1}`);
    removePoint.hidden = point === undefined || drawing.polygons[mask].length <= 3;
    say(removePoint, `Remove point ${point + 1}`);
    undo.hidden = !isChanged();
    say(count, `${drawing.polygons.length ? plural(drawing.polygons.length, "mask") : "No masks"}${isChanged() ? ", not applied yet" : ""}`);
  };
  const drawing = new Drawing(`Masks on the picture of ${camera.name}`,
    { name: (mask) => `mask ${mask + 1}`, changed, announced: (words) => say(status, words), emptied: () => add.focus() });
  const count = make("p", { class: "count" });
  const add = button("add", "Add a mask", () => drawing.add());
  const removePoint = button("remove-point", "", () => drawing.remove(drawing.meant.mask, drawing.meant.point));
  const removeMask = button("remove-mask", "", () => drawing.remove(drawing.meant.mask));
  const undo = button("undo", "Undo changes", () => {
    drawing.polygons = applied;
    say(wrong, "");
    changed();
    add.focus();
  });
  // What the server takes is shown as it is in force.
  const put = async (change, words) => {
    say(wrong, "");
    const sent = drawing.polygons;
    try {
      const { settings } = await ask("PUT", path, change);
      applied = settings.masks;
      if (JSON.stringify(drawing.polygons) === JSON.stringify(sent)) drawing.polygons = applied;
      changed();
      return words;
    } catch (fault) {
      say(wrong, `${sentence(fault.message)}.`);
      return undefined;
    }
  };
  const apply = button("apply", "Apply", () => act(apply, () => put({ masks: drawing.polygons }, "applied")));
  const save = button("save", "Save changes", () => act(save, () =>
    put(isChanged() ? { masks: drawing.polygons, save: true } : { save: true }, "saved for the next start")));

  const leave = layOver(camera, [drawing.element], {
    shape: (ratio) => { drawing.ratio = ratio; }, cancel: () => drawing.cancel(), done,
  });
  // Of another admin too, but not over what is drawn here.
  const show = (status) => {
    const { settings } = status;
    if (!settings) return;
    drawing.turn(settings, status);
    if (drawing.isBusy || isChanged() || !settings.masks || JSON.stringify(settings.masks) === JSON.stringify(applied)) return;
    applied = settings.masks;
    drawing.polygons = applied;
    changed();
  };
  drawing.polygons = applied;
  show(found);
  changed();
  host.replaceChildren(
    make("h2", {}, "Masks"),
    count,
    make("div", { class: "row" }, add, removePoint, removeMask, undo),
    wrong,
    make("div", { class: "row save" }, apply, found.keeps === false ? undefined : save, done),
    make("p", { class: "quiet" }, found.keeps === false
      ? NOT_SAVED
      : "Applied masks take effect at once. Save them to keep them after a restart."),
    make("p", { class: "quiet" }, HELP),
    status,
  );
  add.focus({ preventScroll: true });
  return {
    show,
    isChanged,
    async mayLeave() {
      if (!await confirmed("The changed masks are not applied.", "Leave")) return false;
      drawing.polygons = applied;
      return true;
    },
    leave,
  };
}
