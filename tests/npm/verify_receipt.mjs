// Checks receipts with the `jose` package: reads {jwk, receipts: [jws]} from standard input and answers, for each
// receipt, with its header and payload, or with the error's code.
import { text } from 'node:stream/consumers'
import { compactVerify, importJWK } from 'jose'

const { jwk, receipts } = JSON.parse(await text(process.stdin))
const key = await importJWK(jwk, 'ES256')
const answers = []
for (const jws of receipts) {
  try {
    const { payload, protectedHeader } = await compactVerify(jws, key, { algorithms: ['ES256'] })
    answers.push({ header: protectedHeader, payload: new TextDecoder().decode(payload) })
  } catch (error) {
    answers.push({ error: error.code })
  }
}
process.stdout.write(JSON.stringify(answers))
