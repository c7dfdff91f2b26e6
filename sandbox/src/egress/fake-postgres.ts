import { readFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

const SSL_REQUEST = 80_877_103
const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url))

const message = (type: string, ...parts: Buffer[]) => {
  const body = Buffer.concat(parts)
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}
const int16 = (value: number) => Buffer.from([value >> 8, value & 255])
const int32 = (value: number) => Buffer.from([value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255])
const text = (value: string) => Buffer.from(`${value}\0`)

const READY = message('Z', Buffer.from('I'))
/** One text column `n`. */
const DESCRIPTION = message('T', int16(1), text('n'), int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0))
const row = (value: Buffer) =>
  Buffer.concat([message('D', int16(1), int32(value.length), value), message('C', text('SELECT 1'))])

/** As much of PostgreSQL's protocol (version 3) as a real client needs to connect, with or without TLS, and to query. */
function speak(socket: Socket, started = false): void {
  let bytes = Buffer.alloc(0)
  let parameter = Buffer.from('1')
  const take = (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    for (;;) {
      const head = started ? 5 : 4
      if (bytes.length < head) return
      const length = bytes.readUInt32BE(head - 4) + head - 4
      if (bytes.length < length) return
      const type = started ? String.fromCharCode(bytes[0]!) : ''
      const body = bytes.subarray(head, length)
      bytes = bytes.subarray(length)
      if (!started && body.readUInt32BE(0) === SSL_REQUEST) {
        socket.off('data', take)
        socket.write('S')
        const secure = new TLSSocket(socket, {
          isServer: true,
          key: fixture('key.pem'),
          cert: fixture('certificate.pem'),
        })
        return speak(secure.on('error', () => {}))
      }
      if (!started) {
        started = true
        socket.write(Buffer.concat([message('R', int32(0)), READY]))
      } else if (type === 'Q') socket.write(Buffer.concat([DESCRIPTION, row(Buffer.from('1')), READY]))
      else if (type === 'P') socket.write(message('1'))
      else if (type === 'B') {
        // portal, statement, one format code or none, one parameter
        const names = body.indexOf(0, body.indexOf(0) + 1) + 1
        const formats = body.readUInt16BE(names)
        const at = names + 2 + 2 * formats + 2
        parameter = Buffer.from(body.subarray(at + 4, at + 4 + body.readInt32BE(at)))
        socket.write(message('2'))
      } else if (type === 'D') socket.write(DESCRIPTION)
      else if (type === 'E') socket.write(row(parameter))
      else if (type === 'S') socket.write(READY)
      else if (type === 'X') socket.end()
    }
  }
  socket.on('data', take).on('error', () => {})
}

/** A server that answers each query with its first parameter. For tests. */
export function startPostgres(): Server {
  return createServer((socket) => speak(socket))
}
