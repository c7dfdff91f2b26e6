import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** What the gateway counts, by Prometheus' conventions: seconds, `_total`. */
export function createMetrics() {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'peerhost_gateway_' })
  const registers = [registry]
  return {
    registry,
    calls: new Counter({
      name: 'peerhost_gateway_calls_total',
      help: 'Calls of functions that were answered, by HTTP status and whether they were paid',
      labelNames: ['status', 'paid'] as const,
      registers,
    }),
    callSeconds: new Histogram({
      name: 'peerhost_gateway_call_seconds',
      help: 'Time from the request to the answer',
      labelNames: ['paid'] as const,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
    failedAttempts: new Counter({
      name: 'peerhost_gateway_failed_attempts_total',
      help: 'Attempts on a worker that failed, by code',
      labelNames: ['code'] as const,
      registers,
    }),
    refusedPayments: new Counter({
      name: 'peerhost_gateway_refused_payments_total',
      help: 'Payments that were refused, by code',
      labelNames: ['code'] as const,
      registers,
    }),
    earned: new Counter({
      name: 'peerhost_gateway_settled_usdc_total',
      help: 'USDC that payers were charged',
      registers,
    }),
    anchored: new Counter({
      name: 'peerhost_gateway_anchored_receipts_total',
      help: 'Receipts in anchored batches',
      registers,
    }),
    /** A figure that is read when Prometheus asks. */
    gauge(name: string, help: string, read: () => number) {
      new Gauge({
        name: `peerhost_gateway_${name}`,
        help,
        registers,
        collect() {
          this.set(read())
        },
      })
    },
  }
}

export type Metrics = ReturnType<typeof createMetrics>
