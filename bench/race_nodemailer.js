// nodemailer with a pool of ten connections, as its manual has it: node race_nodemailer.js PORT COUNT NODE_MODULES
const [port, count, modules] = process.argv.slice(2);
const nodemailer = require(`${modules}/nodemailer`);

const sentence = "Grief does not keep to a calendar, and neither does the relief that comes after it. ";
const text = `${sentence.repeat(6)}\n\n`.repeat(17);
const html = `<p style="margin:0 0 20px;line-height:1.6;color:#222222">${sentence.repeat(6)}</p>\n`.repeat(17);
const transport = nodemailer.createTransport({
  pool: true, maxConnections: 10, maxMessages: Infinity, host: "127.0.0.1", port: Number(port), ignoreTLS: true,
});

let next = 0;
async function runner() {
  while (next < Number(count)) {
    const n = next++;
    const link = `https://letters.example.org/u/${String(n).padStart(44, "0")}`;
    await transport.sendMail({
      from: "Maya Thorne <maya@letters.example.org>",
      to: `Reader ${n} <reader${n}@example.org>`,
      subject: "The first letter",
      headers: { "List-Unsubscribe": `<${link}>`, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click" },
      text: `Hello Reader ${n},\n\n${text}\nUnsubscribe: ${link}\n`,
      html: `<p>Hello Reader ${n},</p>${html}<p><a href="${link}">Unsubscribe</a></p>`,
    });
  }
}

Promise.all(Array.from({ length: 20 }, runner)).then(() => transport.close());
