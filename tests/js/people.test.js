import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { initialOf, matching, People } from "../../web/js/people/people.js";
import { api } from "./support/api.js";

const anna = { file: "sub\\anna_00001_.safetensors", name: "Anna Lee", own: true, consent: "signed" };
const bo = { file: "bo_00001_.safetensors", name: "bo", own: true };

beforeEach(() => {
  api.answers.length = api.requests.length = 0;
});

test("listeners hear of every list that comes", async () => {
  const people = new People(api, "No answer.");
  let heard = 0;
  const listener = () => heard++;
  people.listen(listener);
  api.answers = [[200, { people: [anna, bo] }]];
  await people.refresh();
  assert.deepEqual([people.list, heard], [[anna, bo], 1]);
  people.forget(listener);
  api.answers = [[200, { people: [bo] }]];
  await people.rename("bo_00001_.safetensors", "Bo");
  assert.deepEqual([people.list, heard], [[bo], 1]);
  assert.equal(api.requests[1].path, "/instantid_compose/identities/rename");
  assert.deepEqual(JSON.parse(api.requests[1].body), { file: "bo_00001_.safetensors", name: "Bo" });
});

test("a refusal is a sentence, and the list stays", async () => {
  const people = new People(api, "No answer.");
  api.answers = [
    [200, { people: [bo] }],
    [409, { error: "The folder is read-only." }],
  ];
  await people.refresh();
  await assert.rejects(people.remove("bo_00001_.safetensors"), { message: "The folder is read-only." });
  assert.deepEqual(people.list, [bo]);
});

test("an answer that was overtaken is dropped", async () => {
  const people = new People(api, "No answer.");
  api.answers = [
    [200, { people: [anna] }],
    [200, { people: [bo] }],
  ];
  await Promise.all([people.refresh(), people.refresh()]);
  assert.deepEqual(people.list, [bo]);
});

test("a file is found under the separators of another system", async () => {
  const people = new People(api, "No answer.");
  assert.equal(people.of(bo.file), undefined);
  people.list = [anna, bo];
  assert.equal(people.of("sub/anna_00001_.safetensors"), anna);
  assert.equal(people.of("anna_00001_.safetensors"), undefined);
});

test("a search looks for every word in name, file and consent", () => {
  const found = (search) => matching([anna, bo], search);
  assert.deepEqual(found(""), [anna, bo]);
  assert.deepEqual(found(" LEE  signed "), [anna]);
  assert.deepEqual(found("anna bo"), []);
  assert.deepEqual(found("00001"), [anna, bo]);
});

test("the letter of a name is whole", () => {
  assert.deepEqual(["anna", " 王芳", "\u{1F600}x", ""].map(initialOf), ["A", "王", "\u{1F600}", "?"]);
});
