// node mqtt.mjs URL: two clients of MQTT.js, one of which hears what the other says.

import mqtt from "mqtt";
import { check, eventually, main } from "./browser.mjs";

await main(async () => {
  const [url] = process.argv.slice(2);
  const heard = [];
  const listener = await mqtt.connectAsync(url, { reconnectPeriod: 0 });
  check(listener.connected, "a client connects, by the subprotocol mqtt");
  listener.on("message", (topic, payload) => heard.push([topic, payload.length, payload.toString().slice(0, 20)]));
  await listener.subscribeAsync("desk/#", { qos: 1 });

  const speaker = await mqtt.connectAsync(url, { reconnectPeriod: 0, protocolVersion: 5 });
  check(speaker.connected, "another one, with version 5");
  await speaker.publishAsync("desk/lamp", "on", { qos: 1 });
  await speaker.publishAsync("desk/picture", "x".repeat(300000), { qos: 2 });
  await eventually(() => heard.length >= 2);
  check(heard[0]?.join() === "desk/lamp,2,on", "a message arrives", heard);
  check(heard[1]?.[1] === 300000, "and a large one", heard);

  const old = await mqtt.connectAsync(url, { reconnectPeriod: 0, protocolId: "MQIsdp", protocolVersion: 3 });
  check(old.connected, "a client of MQTT 3.1, by the subprotocol mqttv3.1");
  await old.publishAsync("desk/window", "open", { qos: 1 });
  await eventually(() => heard.length >= 3);
  check(heard[2]?.join() === "desk/window,4,open", "its message arrives", heard);
  await Promise.all([listener, speaker, old].map((client) => client.endAsync()));
  check(true, "both leave");
});
