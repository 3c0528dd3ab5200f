/*
 * Plays a tone of 1000 Hz into the other end of the loopback that the server under test listens to, until
 * it is ended. Linked with the same static libasound; busybox has nothing that plays.
 */
#include <alsa/asoundlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RATE_HZ = 32000, TONE_HZ = 1000, LATENCY_US = 500000, SAMPLES = RATE_HZ / 10 };

/* A board has no configuration of ALSA's. */
static const char definition[] = "pcm.other_end { type hw card 0 device 1 }";

static int check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "tone: %s: %s\n", what, snd_strerror(result));
        exit(1);
    }
    return result;
}

int main(void)
{
    static short samples[SAMPLES];
    snd_config_t *config;
    snd_input_t *input;
    snd_pcm_t *pcm;

    for (int at = 0; at < SAMPLES; at++)
        samples[at] = (short)lrint(16000 * sin(2 * M_PI * TONE_HZ / RATE_HZ * at));
    check(snd_config_top(&config), "configuration");
    check(snd_input_buffer_open(&input, definition, strlen(definition)), "configuration");
    check(snd_config_load(config, input), "configuration");
    check(snd_pcm_open_lconf(&pcm, "other_end", SND_PCM_STREAM_PLAYBACK, 0, config), "open");
    check(snd_pcm_set_params(pcm, SND_PCM_FORMAT_S16_LE, SND_PCM_ACCESS_RW_INTERLEAVED, 1, RATE_HZ, 0, LATENCY_US),
          "parameters");
    for (;;) {
        long written = snd_pcm_writei(pcm, samples, SAMPLES);
        if (written < 0)
            check(snd_pcm_recover(pcm, (int)written, 1), "write");
    }
}
