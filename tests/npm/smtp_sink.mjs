// A mail server that demands STARTTLS, takes every mail and keeps none (npm's smtp-server): smtp_sink.mjs KEY.pem CERT.pem
// Says its port on the first line, and ends when its standard input does.
import { readFileSync } from 'node:fs'
import { SMTPServer } from 'smtp-server'

const [key, cert] = process.argv.slice(2).map(name => readFileSync(name))
const server = new SMTPServer({
  key, cert, authOptional: true, disableReverseLookup: true, hidePIPELINING: false,
  onData (stream, session, done) { stream.on('end', () => done(session.secure ? null : new Error('not secure'))).resume() }
})
server.listen(0, '127.0.0.1', () => console.log(server.server.address().port))
process.stdin.on('end', () => process.exit(0)).resume()
