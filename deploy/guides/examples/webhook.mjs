// Check a notice that the gateway posts to your web server (Standard Webhooks 1.0.0). Node's own library is enough.
import { createHmac, timingSafeEqual } from 'node:crypto'

const TOLERANCE_SECONDS = 300

// Whether the notice was signed with our secret (`whsec_…`), lately. `body` is the Buffer as received; `now` in seconds.
// What you must still do: answer 2xx within 15 seconds, and do nothing twice for the same `webhook-id`.
export function isGenuine(headers, body, secret, now) {
  const id = headers['webhook-id']
  const timestamp = headers['webhook-timestamp']
  if (!/^\d+$/.test(timestamp) || Math.abs(now - Number(timestamp)) > TOLERANCE_SECONDS) return false
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest()
  return headers['webhook-signature'].split(' ').some((one) => {
    const [version, signature = ''] = one.split(',')
    const given = Buffer.from(signature, 'base64')
    return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected)
  })
}
