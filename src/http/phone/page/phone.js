// The browser phone: makes calls over a WebSocket and shows what happens and what comes of it.

const TEXTS = {
  da: {
    skip: "Spring til opkaldet", tagline: "En telefon i browseren. Intet forlader denne maskine.",
    phone: "Telefon", tenant: "Ring til", at: "Hvornår (tomt: nu)", caller: "Dit nummer (tomt: hemmeligt)",
    busy: "Køerne er fulde (15 minutter)", keysOnly: "Kun taster", callText: "Ring på skrift",
    callVoice: "Ring med mikrofon", hangUp: "Læg på",
    empty: "Ring op. Her vises, hvad der bliver sagt, forstået og gjort.",
    say: "Det, du siger", send: "Sig", silence: "Sig intet", mails: "Mails, der ville blive sendt",
    callbacks: "Tilbagekald", deeds: "Det, omstillingen blev bedt om", notices: "Beredskabsbeskeder",
    you: "Dig", hotline: "Hotline", none: "Ingen endnu.", key: "trykker", nothing: "(siger intet)",
    recordHint: "Optageren kører: skriv det, du indtaler.", sayHint: "Skriv, hvad du siger …",
    keysHint: "Her tages kun imod taster.", calling: "Opkaldet er i gang.", understood: "Forstået",
    notUnderstood: "Ikke forstået", recording: "(bip – optager)", transfer: "Stilles om til",
    agentHears: "Medarbejderen hører", noted: "Noteret med nummer", already: "Var allerede noteret med nummer",
    refused: "Kunne ikke noteres", ordered: { message: "Besked til", cancellation: "Afbud til", callback: "Tilbagekald fra" },
    over: "Opkaldet er slut", outcome: { transferred: "stillet om", completed: "afsluttet", caller_left: "du lagde på",
      fell_back: "sendt til den almindelige kø", crashed: "afbrudt" },
    microphone: "Mikrofonen kan ikke bruges", lost: "Forbindelsen er væk. Kører hotline demo stadig?",
    to: "Til", made: "Skrevet", due: "når køen er kort", number: "Nummer", tries: "Forsøg", reference: "Nummer",
    deed: { transferred: "Opkald stillet om til", dialled: "Ringede til" }, text: "Teksten", fault: "Fejl",
    state: { waiting: "venter", dialling: "ringer op", connecting: "forbinder", completed: "gennemført",
      failed: "opgivet", cancelled: "annulleret" }, noNotices: "Ingen forberedte beskeder.", listening: "lytter",
    hearsNothing: "Hotline taler; svar med tasterne (ingen talemodeller er sat op).",
  },
  en: {
    skip: "Skip to the call", tagline: "A telephone in the browser. Nothing leaves this machine.",
    phone: "Telephone", tenant: "Call", at: "When (empty: now)", caller: "Your number (empty: withheld)",
    busy: "Queues are full (15 minutes)", keysOnly: "Keys only", callText: "Call in writing",
    callVoice: "Call with microphone", hangUp: "Hang up",
    empty: "Make a call. What is said, understood and done is shown here.",
    say: "What you say", send: "Say", silence: "Say nothing", mails: "Mails that would be sent",
    callbacks: "Callbacks", deeds: "What the PBX was told", notices: "Emergency messages",
    you: "You", hotline: "Hotline", none: "None yet.", key: "presses", nothing: "(says nothing)",
    recordHint: "The recorder is running: type what you say.", sayHint: "Type what you say …",
    keysHint: "Only keys are taken here.", calling: "The call is on.", understood: "Understood",
    notUnderstood: "Not understood", recording: "(beep – recording)", transfer: "Transferred to",
    agentHears: "The agent hears", noted: "Noted as", already: "Was noted before as",
    refused: "Could not be noted", ordered: { message: "Message to", cancellation: "Cancellation at", callback: "Callback by" },
    over: "The call is over", outcome: { transferred: "transferred", completed: "completed", caller_left: "you hung up",
      fell_back: "sent to the ordinary queue", crashed: "broken off" },
    microphone: "The microphone cannot be used", lost: "The connection is gone. Is hotline demo still running?",
    to: "To", made: "Written", due: "when the queue is short", number: "Number", tries: "Attempts", reference: "Reference",
    deed: { transferred: "A call was moved to", dialled: "Dialled" }, text: "The text", fault: "Fault",
    state: { waiting: "waiting", dialling: "dialling", connecting: "connecting", completed: "completed",
      failed: "given up", cancelled: "cancelled" }, noNotices: "No prepared messages.", listening: "listening",
    hearsNothing: "Hotline speaks; answer by keys (no recognition models are configured).",
  },
};

const get = (id) => document.getElementById(id);
const [tenantField, transcript, note, say, keypad] = ["tenant", "transcript", "note", "say", "keypad"].map(get);

let language = (navigator.language || "en").startsWith("da") ? "da" : "en";
let state = { tenants: [], speaks: false, hears: [] };
let call = null; // { socket, spoken, recording, sound }
let shown = "";
const text = () => TEXTS[language];

/** Makes an element with a class, a text and children. */
function make(tag, className = "", content = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (content) element.textContent = content;
  element.append(...children);
  return element;
}

const inLanguage = (texts) => texts?.[language] ?? Object.values(texts ?? {})[0] ?? "";

function speakPage(to) {
  language = to;
  document.documentElement.lang = to;
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = text()[element.dataset.text];
  }
  for (const button of document.querySelectorAll("[data-page-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.pageLanguage === to));
  }
  const chosen = tenantField.value;
  tenantField.replaceChildren(...state.tenants.map((tenant) => {
    const option = make("option", "", inLanguage(tenant.name));
    option.value = tenant.id;
    return option;
  }));
  if (chosen) tenantField.value = chosen;
  nameKeys();
  hint();
  shown = "";
  look();
}

function nameKeys() {
  const tenant = state.tenants.find(({ id }) => id === tenantField.value);
  for (const button of keypad.children) {
    const key = tenant?.keys.find(({ key }) => key === button.dataset.key);
    button.title = key ? inLanguage(key.name) : "";
  }
}

/** Says what can be done now, and which buttons work. */
function hint(wrong = "") {
  const on = Boolean(call);
  note.textContent = wrong || (on ? call.spoken && !state.hears.length ? text().hearsNothing : text().calling : "");
  note.classList.toggle("wrong", Boolean(wrong));
  for (const id of ["call", "call-voice", "tenant", "at", "caller", "keys-only"]) get(id).disabled = on;
  get("hang-up").disabled = !on;
  const typed = on && !call.spoken;
  say.disabled = get("send").disabled = get("silence").disabled = !typed;
  say.placeholder = !typed ? "" : call.recording ? text().recordHint : text().sayHint;
  for (const button of keypad.children) button.disabled = !on;
}

function add(element) {
  transcript.querySelector(".empty")?.remove();
  transcript.append(element);
  transcript.scrollTop = transcript.scrollHeight;
}

function turn(who, words, className) {
  const element = make("p", `turn ${className}`, "", make("span", "who", who), words);
  add(element);
  return element;
}

const event = (className, label, words = "") =>
  add(make("p", `event ${className}`, "", make("strong", "", label), words ? ` ${words}` : ""));

function place(target) {
  if (target.queue) return target.queue.queue + (target.queue.priority ? ` (+${target.queue.priority})` : "");
  return target.extension ?? target.external ?? "";
}

/** Shows why words were taken for what they were. */
function understood({ heard, meaning, confidence, verdict, why }) {
  if (!meaning && !why.length) return;
  const label = meaning ? `${text().understood}: ${meaning}` : text().notUnderstood;
  const summary = make("summary", "", `${label} · ${Math.round(confidence * 100)} % · ${verdict}`);
  const reasons = why.map((reason) => make("li", "", reason));
  add(make("details", "", "", summary, make("ul", "", "", make("li", "", `“${heard}”`), ...reasons)));
}

/** Shows one line of the call's journal. */
function show(line) {
  const { event: came, command: did } = line;
  if (line.refused) return hint(line.refused);
  if (line.ended) return over(line.ended.outcome);
  if (line.over) return over("crashed");
  if (line.pbx) return event("", "PBX", line.pbx);
  if (came?.heard && call?.spoken) {
    const words = came.heard.hypotheses.map(({ text: words }) => words).find(Boolean);
    if (words) turn(text().you, words, "theirs");
  }
  if (came?.key && call?.spoken) turn(text().you, `# ${came.key}`, "theirs");
  if (came?.recorded) { if (call) call.recording = false; hint(); }
  if (came?.done) {
    const { noted, already_noted: already, refused } = came.done;
    if (noted) event("", text().noted, noted.reference);
    if (already) event("", text().already, already.reference);
    if (refused) event("fault", text().refused, refused.reason);
  }
  if (!did) return;
  if (did.say) turn(text().hotline, did.say.text, "ours").lang = did.say.language;
  if (did.record) {
    event("", text().recording);
    if (call) call.recording = true;
    hint();
  }
  if (did.transfer) {
    event("", text().transfer, place(did.transfer.target));
    if (did.transfer.handoff.summary) event("", text().agentHears, `“${did.transfer.handoff.summary}”`);
  }
  if (did.do) {
    const [kind, order] = Object.entries(did.do)[0];
    event("", text().ordered[kind] ?? kind, order.department);
  }
  if (did.note?.understood) understood(did.note.understood);
  if (did.note?.fault) event("fault", text().fault, did.note.fault.message);
}

function over(outcome) {
  if (!call) return;
  const { socket, sound } = call;
  call = null;
  event("over", text().over, `(${text().outcome[outcome] ?? outcome})`);
  socket.close();
  sound?.close();
  hint();
  look();
}

const tell = (what) => call?.socket.readyState === WebSocket.OPEN && call.socket.send(JSON.stringify(what));

/** Opens microphone and speaker at the telephone's 8 kHz. */
async function openSound(socket) {
  const microphone = await navigator.mediaDevices.getUserMedia({
    audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true },
  });
  const context = new AudioContext({ sampleRate: 8000 });
  await context.audioWorklet.addModule("/worklet.js");
  const handset = new AudioWorkletNode(context, "handset", { outputChannelCount: [1] });
  handset.port.onmessage = ({ data }) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(data.buffer);
  };
  context.createMediaStreamSource(microphone).connect(handset).connect(context.destination);
  return {
    play: (bytes) => handset.port.postMessage(new Int16Array(bytes)),
    close: () => {
      for (const track of microphone.getTracks()) track.stop();
      context.close();
    },
  };
}

async function start(spoken) {
  transcript.replaceChildren();
  const socket = new WebSocket(`ws://${location.host}/phone/call`);
  socket.binaryType = "arraybuffer";
  call = { socket, spoken, recording: false, sound: null };
  hint();
  const mine = call;
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") show(JSON.parse(data));
    else mine.sound?.play(data);
  };
  socket.onclose = () => { if (call === mine) over("crashed"); };
  socket.onopen = async () => {
    if (spoken) {
      try {
        mine.sound = await openSound(socket);
      } catch (error) {
        over("crashed");
        return hint(`${text().microphone}: ${error.message}`);
      }
    }
    tell({ call: {
      tenant: tenantField.value, at: get("at").value.replace("T", " "), caller: get("caller").value,
      spoken, keys_only: get("keys-only").checked,
    } });
    if (!spoken) say.focus();
  };
}

function press(key) {
  if (!call) return;
  if (!call.spoken) turn(text().you, `# ${key}`, "theirs");
  tell({ keys: key });
}

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", body: JSON.stringify(body) });
  if (!answer.ok) hint((await answer.json()).error);
  look();
}

const list = (id, items, empty = text().none) => {
  get(id).replaceChildren(...(items.length ? items : [make("p", "empty", empty)]));
  const count = get(`${id}-count`);
  if (count) count.textContent = items.length;
};

const moment = (stamp) => new Date(stamp).toLocaleString(language === "da" ? "da-DK" : "en-GB", {
  dateStyle: "medium", timeStyle: "short",
});

function mailItem({ id, to, subject, body, made, recording }, index) {
  const details = make("details", "", "", make("summary", "", text().text), make("pre", "", body));
  details.open = index === 0;
  const item = make("article", "item", "", make("h3", "", subject),
    make("p", "facts", `${text().to} ${to} · ${moment(made)}`), details);
  if (recording) {
    const audio = make("audio");
    audio.controls = true;
    audio.preload = "none";
    audio.src = `/phone/mails/${id}/recording.wav`;
    item.append(audio);
  }
  return item;
}

function callbackItem({ reference, department, number, state: where, due, attempts, reason }) {
  const [name, why] = typeof where === "string" ? [where, ""] : Object.entries(where)[0];
  const when = due?.at ? moment(due.at) : text().due;
  return make("article", "item", "", make("h3", "", `${reference} · ${text().state[name] ?? name}${why ? ` (${why})` : ""}`),
    make("p", "facts", `${department} → ${number} · ${when} · ${text().tries}: ${attempts.length}`),
    make("p", "facts", reason));
}

function deedItem({ deed, to, whisper, outcome, queue }) {
  return make("article", "item", "", make("h3", "", `${text().deed[deed]} ${to}`),
    make("p", "facts", deed === "transferred" ? whisper : `${queue} · ${outcome}`));
}

function noticeItem(tenant, name, texts, on) {
  const box = make("input");
  box.type = "checkbox";
  box.checked = on;
  box.onchange = () => post("/phone/notices", { tenant: tenant.id, name, on: box.checked });
  return make("div", "item", "", make("label", "switch", "", box, make("span", "", `${inLanguage(tenant.name)}: ${inLanguage(texts)}`)));
}

/** Looks what has come of calls. */
async function look() {
  let results;
  try {
    const answer = await fetch("/phone/results");
    if (!answer.ok) return;
    results = await answer.json();
  } catch {
    return hint(text().lost);
  }
  if (note.textContent === text().lost) hint();
  const now = JSON.stringify(results);
  if (now === shown) return;
  shown = now;
  list("mails", results.mails.map(mailItem));
  list("callbacks", results.callbacks.map(callbackItem));
  list("deeds", results.deeds.map(deedItem));
  list("notices", state.tenants.flatMap((tenant) => Object.entries(tenant.notices).map(([name, texts]) =>
    noticeItem(tenant, name, texts, results.notices.some((it) => it.tenant === tenant.id && it.notice.name === name)),
  )), text().noNotices);
  get("busy").checked = results.busy;
}

for (const key of "123456789*0#") {
  const button = make("button", "", key);
  button.type = "button";
  button.dataset.key = key;
  button.onclick = () => press(key);
  keypad.append(button);
}
get("dial").onsubmit = (submitted) => { submitted.preventDefault(); if (!call) start(false); };
get("call-voice").onclick = () => { if (!call) start(true); };
get("hang-up").onclick = () => tell({ hang_up: {} });
get("silence").onclick = () => { turn(text().you, text().nothing, "theirs"); tell({ silence: {} }); };
get("busy").onchange = ({ target }) => post("/phone/queues", { busy: target.checked });
get("talk").onsubmit = (submitted) => {
  submitted.preventDefault();
  const words = say.value.trim();
  if (!call || !words) return;
  hint();
  turn(text().you, words, "theirs");
  tell({ say: words });
  say.value = "";
};
tenantField.onchange = nameKeys;
for (const button of document.querySelectorAll("[data-page-language]")) {
  button.onclick = () => speakPage(button.dataset.pageLanguage);
}

state = await (await fetch("/phone/state")).json();
get("call-voice").hidden = !state.speaks;
speakPage(language);
setInterval(look, 2000);
