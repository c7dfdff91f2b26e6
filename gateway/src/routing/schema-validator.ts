import { Worker } from 'node:worker_threads'
import { PeerHostError, type Route } from '@peerhost/protocol'

interface Question {
  resolve: (detail: string | undefined) => void
  timer: NodeJS.Timeout
}

/** Milliseconds that a schema may take to judge a body. */
const LIMIT_MS = 1_000
const MAX_BODY_TEXT = 1024 * 1024

/**
 * Checks request bodies against the schemas of `http` events. Schemas are other people's: a pattern that backtracks for
 * ever must not stop the gateway, so they run in a thread that is replaced when it takes too long.
 */
export class SchemaValidator {
  readonly #questions = new Map<number, Question>()
  #thread: Worker | undefined
  #nextId = 1

  /** Throws PH_REQUEST_SCHEMA where the body does not match the schema for its content type. */
  async check(route: Route, contentType: string | undefined, body: Uint8Array): Promise<void> {
    if (!route.schemas) return
    const type = (contentType ?? 'application/json').split(';')[0]!.trim().toLowerCase()
    const schema = Object.hasOwn(route.schemas, type) ? route.schemas[type] : undefined
    if (schema === undefined) return // as API Gateway: another content type passes
    if (body.length > MAX_BODY_TEXT) throw new PeerHostError('PH_REQUEST_SCHEMA', { detail: 'it is too long to check' })
    const detail = await this.#ask(JSON.stringify(schema), Buffer.from(body).toString('utf8'))
    if (detail !== undefined) throw new PeerHostError('PH_REQUEST_SCHEMA', { detail })
  }

  async close(): Promise<void> {
    await this.#thread?.terminate()
    this.#thread = undefined
  }

  #ask(schema: string, body: string): Promise<string | undefined> {
    return new Promise((resolve) => {
      const id = this.#nextId++
      const timer = setTimeout(() => this.#replace(), LIMIT_MS)
      this.#questions.set(id, { resolve, timer })
      this.#open().postMessage({ id, schema, body })
    })
  }

  #open(): Worker {
    if (this.#thread) return this.#thread
    const thread = new Worker(
      new URL(import.meta.url.endsWith('.ts') ? './schema-thread.ts' : './schema-thread.js', import.meta.url),
      {
        resourceLimits: { maxOldGenerationSizeMb: 128 },
        env: {},
      },
    )
    thread.unref()
    thread.on('message', ({ id, detail }: { id: number; detail?: string }) => this.#answer(id, detail))
    thread.on('error', () => this.#replace(thread))
    thread.on('exit', () => this.#replace(thread))
    this.#thread = thread
    return thread
  }

  #answer(id: number, detail: string | undefined): void {
    const question = this.#questions.get(id)
    if (!question) return
    clearTimeout(question.timer)
    this.#questions.delete(id)
    question.resolve(detail)
  }

  /** Ends a thread that hangs or broke; who waits for it is told. */
  #replace(thread = this.#thread): void {
    if (thread !== this.#thread) return
    this.#thread = undefined
    void thread?.terminate()
    for (const id of [...this.#questions.keys()]) this.#answer(id, 'the schema could not be checked in time')
  }
}
