// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A media device with camera sensors, as the driver of a board's CSI receiver registers one. It gives no pictures: it is
 * for programs that look for sensors.
 *
 *   insmod defender_sensor.ko names="imx219 10-0010,imx708_wide 4-001a"
 */
#include <linux/module.h>
#include <linux/platform_device.h>
#include <media/media-device.h>

#define SENSORS_MAX 2

static char *names[SENSORS_MAX] = { "imx219 10-0010" };
static int count = 1;
module_param_array(names, charp, &count, 0444);
MODULE_PARM_DESC(names, "names of the sensors' entities");

static struct platform_device *receiver;
static struct media_device media;
static struct media_entity sensors[SENSORS_MAX];
static struct media_pad pads[SENSORS_MAX];

static int add_sensor(int number)
{
	struct media_entity *sensor = &sensors[number];
	int failed;

	sensor->name = names[number];
	sensor->function = MEDIA_ENT_F_CAM_SENSOR;
	pads[number].flags = MEDIA_PAD_FL_SOURCE;
	failed = media_entity_pads_init(sensor, 1, &pads[number]);
	return failed ? failed : media_device_register_entity(&media, sensor);
}

static int __init defender_sensor_init(void)
{
	int number, failed = 0;

	receiver = platform_device_register_simple("defender-sensor", -1, NULL, 0);
	if (IS_ERR(receiver))
		return PTR_ERR(receiver);
	media.dev = &receiver->dev;
	strscpy(media.model, "defender-sensor", sizeof(media.model));
	strscpy(media.driver_name, "defender-sensor", sizeof(media.driver_name));
	media_device_init(&media);
	for (number = 0; number < count && !failed; number++)
		failed = add_sensor(number);
	if (!failed)
		failed = media_device_register(&media);
	if (failed) {
		media_device_cleanup(&media);
		platform_device_unregister(receiver);
	}
	return failed;
}

static void __exit defender_sensor_exit(void)
{
	media_device_unregister(&media);
	media_device_cleanup(&media);
	platform_device_unregister(receiver);
}

module_init(defender_sensor_init);
module_exit(defender_sensor_exit);
MODULE_DESCRIPTION("Camera sensors for the tests of Defender");
MODULE_LICENSE("Dual MIT/GPL");
