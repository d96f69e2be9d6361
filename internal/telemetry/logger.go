// Package telemetry makes the logger and the metrics registry of every role.
package telemetry

import (
	"fmt"
	"io"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// LogFormat is how log lines are written.
type LogFormat string

// The log formats.
const (
	LogJSON LogFormat = "json" // one object a line, for collectors
	LogText LogFormat = "text" // for people
)

// NewLogger returns a logger that writes to w. Verbosity 0 logs what an operator
// of the platform needs, each higher step more detail (logr's V). Errors carry
// no stack trace: they are wrapped with context where they happen.
func NewLogger(w io.Writer, format LogFormat, verbosity int) (logr.Logger, error) {
	encoder, err := encoderFor(format)
	if err != nil {
		return logr.Logger{}, err
	}
	// zap's levels fall where logr's verbosity rises.
	level := zapcore.Level(-max(0, min(verbosity, 127)))
	core := zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), level)
	return zapr.NewLogger(zap.New(core)), nil
}

func encoderFor(format LogFormat) (zapcore.Encoder, error) {
	config := zap.NewProductionEncoderConfig()
	config.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	config.EncodeDuration = zapcore.StringDurationEncoder
	switch format {
	case LogJSON:
		return zapcore.NewJSONEncoder(config), nil
	case LogText:
		return zapcore.NewConsoleEncoder(config), nil
	default:
		return nil, fmt.Errorf("log format %q: must be json or text", format)
	}
}
