import type { Socket } from 'node:net'

/**
 * Joins two sockets: what one says the other hears, at the speed of the slower, each direction ended by itself. `meter`
 * is called with the count of each chunk and ends both by returning false.
 */
export function splice(one: Socket, other: Socket, meter: (bytes: number) => boolean): void {
  const endBoth = () => {
    one.destroy()
    other.destroy()
  }
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.on('data', (chunk: Buffer) => {
      if (!meter(chunk.length)) endBoth()
    })
    from.pipe(to)
    from.once('error', endBoth)
    // A socket that closed without an error has ended its direction; the other one may still be sending.
    from.once('close', () => {
      if (!from.readableEnded) endBoth()
      else if (!to.destroyed) to.end()
    })
  }
}
