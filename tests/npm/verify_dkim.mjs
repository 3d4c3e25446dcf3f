// Verifies DKIM signatures with mailauth: standard input {mails: [base64], records: {name: text}}; answers, for each mail,
// with [{selector, algorithm, result}] of every signature.
import { text } from 'node:stream/consumers'
import { dkimVerify } from 'mailauth/lib/dkim/verify.js'

const { mails, records } = JSON.parse(await text(process.stdin))
const resolver = async name => {
  if (records[name]) return [[records[name]]]
  throw Object.assign(new Error('no record'), { code: 'ENOTFOUND' })
}
const answers = []
for (const mail of mails) {
  const { results } = await dkimVerify(Buffer.from(mail, 'base64'), { resolver })
  answers.push(results.map(one => ({ selector: one.selector, result: one.status.result })))
}
process.stdout.write(JSON.stringify(answers))
