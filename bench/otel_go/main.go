// SPDX-License-Identifier: MIT OR Apache-2.0

// The same as ../attributed.c with OpenTelemetry's SDK for Go: arguments, output and what it does
// are told there. A third argument "simple": each span is exported when it ends.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const burst = 20000

var keys, texts [10]string

func say(tracer trace.Tracer, spans int) {
	ctx := context.Background()
	for ; spans > 0; spans-- {
		_, span := tracer.Start(ctx, "span", trace.WithAttributes(
			attribute.String(keys[0], texts[0]), attribute.String(keys[1], texts[1]),
			attribute.String(keys[2], texts[2]), attribute.String(keys[3], texts[3]),
			attribute.String(keys[4], texts[4]), attribute.String(keys[5], texts[5]),
			attribute.String(keys[6], texts[6]), attribute.String(keys[7], texts[7]),
			attribute.String(keys[8], texts[8]), attribute.String(keys[9], texts[9])))
		span.End()
	}
}

func cpu() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		log.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func mostMemory() int {
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmHWM:" {
			kib, _ := strconv.Atoi(fields[1])
			return kib
		}
	}
	return 0
}

func atAPace(tracer trace.Tracer, rate, seconds float64) int {
	began := time.Now()
	said := 0
	for time.Since(began).Seconds() < seconds {
		time.Sleep(10 * time.Millisecond)
		due := int(time.Since(began).Seconds() * rate)
		say(tracer, due-said)
		said = due
	}
	return said
}

func main() {
	rate, _ := strconv.ParseFloat(os.Args[1], 64)
	amount, _ := strconv.ParseFloat(os.Args[2], 64)
	ctx := context.Background()
	for i := range keys {
		keys[i], texts[i] = fmt.Sprintf("key-%d", i), fmt.Sprintf("value-%d-abcdefghijkl", i)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Fatal(err) }))
	exporter, err := otlptracegrpc.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	processor := sdktrace.NewBatchSpanProcessor(exporter, sdktrace.WithBlocking())
	if len(os.Args) > 3 && os.Args[3] == "simple" {
		processor = sdktrace.NewSimpleSpanProcessor(exporter)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(processor))
	tracer := provider.Tracer("bench")
	flush := func() {
		if err := provider.ForceFlush(ctx); err != nil {
			log.Fatal(err)
		}
	}
	say(tracer, 10)
	flush()
	before, began, spans := cpu(), time.Now(), int(amount)
	if rate > 0 {
		spans = atAPace(tracer, rate, amount)
		flush()
	} else {
		for said := 0; said < spans; said += burst {
			say(tracer, min(burst, spans-said))
			flush()
		}
	}
	fmt.Printf("{\"spans\":%d,\"cpu_ns\":%d,\"wall_ns\":%d,\"kib\":%d}\n", spans, cpu()-before,
		time.Since(began).Nanoseconds(), mostMemory())
}
