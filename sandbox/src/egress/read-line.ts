import type { Socket } from 'node:net'

const NEWLINE = 10

/**
 * Reads up to the first newline of a paused socket and leaves what follows unread. Undefined if the socket ends, the
 * line is longer than `limit` bytes, or `timeoutMs` passes. The socket is paused again afterwards.
 */
export function readLine(socket: Socket, limit: number, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    let read = Buffer.alloc(0)
    const finish = (line: string | undefined) => {
      clearTimeout(timer)
      socket.off('readable', take).off('end', fail).off('close', fail)
      resolve(line)
    }
    const fail = () => finish(undefined)
    const take = () => {
      for (;;) {
        const chunk = socket.read() as Buffer | null
        if (chunk === null) return
        read = Buffer.concat([read, chunk])
        const end = read.indexOf(NEWLINE)
        if (end > limit || (end < 0 && read.length > limit)) return fail()
        if (end < 0) continue
        finish(read.subarray(0, end).toString('latin1'))
        if (end + 1 < read.length) socket.unshift(read.subarray(end + 1))
        return
      }
    }
    const timer = setTimeout(fail, timeoutMs)
    socket.on('readable', take).once('end', fail).once('close', fail)
    take()
  })
}
